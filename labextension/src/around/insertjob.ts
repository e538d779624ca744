import { type Notebook, NotebookActions } from '@jupyterlab/notebook';

const LOAD = '%load_ext qpi_jupyter';
const BELL = `OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;`;

/** The source of a cell that submits a Bell pair; to `qpu`, or to whichever simulator fits. */
function jobCell(qpu: string): string {
  return `%%qpi_submit ${qpu && `--qpu ${qpu} `}--shots 1000\n${BELL}`;
}

/** Put a cell that submits a job below the active one, and what it needs before it. */
export function insertJob(notebook: Notebook, qpu: string): void {
  const loaded = notebook.widgets.some(cell => cell.model.sharedModel.getSource().includes(LOAD));
  for (const source of loaded ? [jobCell(qpu)] : [LOAD, jobCell(qpu)]) {
    NotebookActions.insertBelow(notebook);
    NotebookActions.changeCellType(notebook, 'code');
    notebook.activeCell?.model.sharedModel.setSource(source);
  }
  notebook.mode = 'edit';
}
