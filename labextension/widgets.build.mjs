// Bundle the notebook's widgets: one module and one stylesheet each, of the same modules as the panel, for pages that
// have nothing else (VS Code, Colab, a dashboard). What those modules take from JupyterLab is in src/widgets/jupyterlab.
import { resolve } from 'node:path';
import { rspack } from '@rspack/core';

const NAMES = ['job'];
const here = import.meta.dirname;
const standIn = name => resolve(here, 'lib/widgets/jupyterlab', name);

const configs = NAMES.map(name => ({
  name,
  mode: 'production',
  context: here,
  devtool: false,
  entry: { [name]: `./lib/widgets/${name}.js` },
  experiments: { css: true },
  module: {
    rules: [{ test: /\.css$/, type: 'css' }],
    parser: { javascript: { dynamicImportMode: 'eager' } }
  },
  optimization: {
    splitChunks: false,
    runtimeChunk: false,
    minimizer: [
      // Licences stay in the file.
      new rspack.SwcJsMinimizerRspackPlugin({ minimizerOptions: { format: { comments: 'some' } } }),
      new rspack.LightningCssMinimizerRspackPlugin()
    ]
  },
  output: {
    path: resolve(here, '../qpi_jupyter/ui/static/widgets'),
    filename: '[name].js',
    cssFilename: '[name].css',
    module: true,
    chunkFormat: 'module',
    library: { type: 'module' }
  },
  performance: false,
  resolve: {
    alias: {
      '@jupyterlab/apputils$': standIn('apputils.js'),
      '@jupyterlab/coreutils$': standIn('coreutils.js'),
      '@jupyterlab/services$': standIn('services.js'),
      '@jupyterlab/ui-components$': standIn('uicomponents.js')
    }
  },
  target: ['web', 'es2022']
}));

rspack(configs, (error, stats) => {
  if (error || stats?.hasErrors()) {
    process.stderr.write(`${error?.stack ?? stats?.toString({ all: false, errors: true })}\n`);
    process.exitCode = 1;
  }
});
