// What JupyterLab's builder is told besides its own settings. Jupyter's server lets a browser keep what is asked for with
// a `v`, whatever it is: the builder would write the hash of each chunk a second time there, in what every page loads
// first. Eight of its digits tell builds apart.
module.exports = { output: { filename: '[name].[contenthash:8].js?v' } };
