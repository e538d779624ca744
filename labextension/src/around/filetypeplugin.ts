import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';

import { labIcon } from '../icon';
import { labPlugin } from '../labplugin';

export const FILE_TYPE = 'openqasm';
export const FILE_SUFFIX = '.qasm';
const MIME = 'text/x-openqasm';

export const fileTypePlugin = labPlugin(
  'openqasm',
  'OpenQASM files.',
  [],
  [IEditorLanguageRegistry],
  (app, trans, languages) => {
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
);
