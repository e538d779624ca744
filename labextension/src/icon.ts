import { LabIcon } from '@jupyterlab/ui-components';

/** An icon in the theme's colour: one path on a field of 24 by 24, whose overlaps are holes. */
export function pathIcon(name: string, path: string): LabIcon {
  return new LabIcon({
    name: `qpi-jupyter:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="${path}"/></svg>`
  });
}

/** Two qubits and the line between them. */
export const labIcon = pathIcon(
  'lab',
  'M12 3a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM11 9h2v4h-2zM12 13a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zm0 2a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM2 5h7v2H2zM15 5h7v2h-7zM2 16.5h5.5v2H2zM16.5 16.5H22v2h-5.5z'
);
