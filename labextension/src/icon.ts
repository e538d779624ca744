import { LabIcon } from '@jupyterlab/ui-components';

/** Two qubits and the line between them, in the theme's colour. */
export const labIcon = new LabIcon({
  name: 'qpi-jupyter:lab',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <circle cx="12" cy="6" r="3"/>
    <path d="M11 9h2v4h-2zM12 13a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zm0 2a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z"/>
    <path d="M2 5h7v2H2zM15 5h7v2h-7zM2 16.5h5.5v2H2zM16.5 16.5H22v2h-5.5z"/>
  </g>
</svg>`
});
