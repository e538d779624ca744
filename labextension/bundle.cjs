// What JupyterLab's builder is told besides its own settings. Jupyter's server lets a browser keep what is asked for with
// a `v`, whatever it is: the builder would write each hash of a chunk a second time there, in what every page loads first.
module.exports = { output: { filename: '[name].[contenthash].js?v' } };
