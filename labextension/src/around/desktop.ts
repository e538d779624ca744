import { Notification as Told } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** Let the desktop show `text` where the browser may and nobody looks at this page; what was told before gives way. */
export function desktop(text: string): void {
  if ('Notification' in window && Notification.permission === 'granted' && document.hidden) {
    const shown = new Notification('JupyterLab', { body: text, tag: 'qpi-jupyter' });
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  }
}

/** Ask the browser's person for leave, once; whoever said no there is told where that is undone. */
export async function askForDesktop(trans: TranslationBundle): Promise<void> {
  const leave = 'Notification' in window ? await Notification.requestPermission() : 'denied';
  if (leave === 'denied') {
    Told.warning(
      trans.__(
        'The browser does not show desktop notifications of this page. Allow them in its settings for this site.'
      )
    );
  }
}
