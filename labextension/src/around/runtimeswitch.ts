import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

/** Show whether `QiskitRuntimeService()` is the lab in a kernel, and switch that. */
export async function switchRuntime(
  kernel: Kernel.IKernelConnection,
  trans: TranslationBundle
): Promise<void> {
  const title = trans.__('IBM Quantum client in this kernel');
  try {
    const body = await runtime(kernel, 'state');
    const on = body.startsWith('On');
    const { button } = await showDialog({
      title,
      body,
      buttons: [
        Dialog.cancelButton({ label: trans.__('Close') }),
        Dialog.okButton({ label: on ? trans.__('Switch off') : trans.__('Switch on') })
      ]
    });
    if (button.accept) {
      const said = await runtime(kernel, on ? 'disable' : 'enable');
      await showDialog({ title, body: said, buttons: [Dialog.okButton()] });
    }
  } catch (error) {
    await showErrorMessage(title, error instanceof Error ? error.message : String(error));
  }
}

/** What `%qpi_runtime` says in a kernel; an error with the words of its refusal. */
async function runtime(
  kernel: Kernel.IKernelConnection,
  call: 'enable' | 'disable' | 'state'
): Promise<string> {
  // Printed, so that neither `_` nor the cells' numbers change; without the magic, which a kernel may not have loaded.
  const code = `print(__import__('qpi_jupyter.client.ibm_kernel', fromlist=['_']).${call}())`;
  const asked = kernel.requestExecute({ code, store_history: false, allow_stdin: false });
  let said = '';
  let refused: string | null = null;
  asked.onIOPub = ({ content }) => {
    if ('evalue' in content) {
      refused = String(content.evalue);
    } else if ('text' in content) {
      said += content.text;
    }
  };
  await asked.done;
  if (refused !== null) {
    throw new Error(refused);
  }
  return said.trim();
}
