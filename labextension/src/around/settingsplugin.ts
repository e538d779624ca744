import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { labPlugin } from '../labplugin';
import { ILabSettings, type ISettingValues, LabSettings } from './settings';

const ID = 'qpi-jupyter:settings';
const ACCENT = '--jp-QPI-accent';

export const settingsPlugin = labPlugin(
  'settings',
  'The settings of the lab.',
  [],
  [ISettingRegistry],
  (_app, _trans, registry) => {
    const settings = new LabSettings();
    settings.changed.connect((_, values) => paint(values.accentColour));
    void follow(settings, registry);
    return settings;
  },
  ILabSettings
);

async function follow(settings: LabSettings, registry: ISettingRegistry | null): Promise<void> {
  try {
    const found = await registry?.load(ID);
    const take = () => settings.replace((found?.composite ?? {}) as Partial<ISettingValues>);
    found?.changed.connect(take);
    take();
  } catch {
    settings.replace({}); // JupyterLab's settings editor says what is wrong with them
  }
}

function paint(colour: string): void {
  const style = document.documentElement.style;
  if (colour && CSS.supports('color', colour)) {
    style.setProperty(ACCENT, colour);
  } else {
    style.removeProperty(ACCENT);
  }
}
