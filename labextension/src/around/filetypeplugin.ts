import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { labIcon } from '../icon';

export const FILE_TYPE = 'openqasm';
export const FILE_SUFFIX = '.qasm';
const MIME = 'text/x-openqasm';

export const fileTypePlugin: JupyterFrontEndPlugin<void> = {
  id: 'qpi-jupyter:openqasm',
  description: 'OpenQASM files.',
  autoStart: true,
  optional: [IEditorLanguageRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    languages: IEditorLanguageRegistry | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('qpi-jupyter');
    app.docRegistry.addFileType({
      name: FILE_TYPE,
      displayName: trans.__('OpenQASM File'),
      extensions: [FILE_SUFFIX],
      mimeTypes: [MIME],
      contentType: 'file',
      fileFormat: 'text',
      icon: labIcon
    });
    languages?.addLanguage({
      name: 'openqasm',
      displayName: 'OpenQASM',
      mime: MIME,
      extensions: ['qasm'],
      load: async () => (await import('./openqasm')).openQasm()
    });
  }
};
