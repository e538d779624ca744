import { CodeEditor } from '@jupyterlab/codeeditor';
import * as React from 'react';

import { OPENQASM_MIME } from '../around/openqasm';
import type { JobModel } from '../wire';
import { save } from './actions';
import { drawing } from './circuit';
import { CircuitView } from './circuitview';
import { Section } from './facts';
import { isText } from './program';
import type { ITools } from './tools';

/** What was submitted, circuit by circuit. */
export function ProgramView(props: {
  job: JobModel;
  sources: readonly Uint8Array[] | null;
  tools: ITools;
}): React.ReactElement {
  const { job, sources, tools } = props;
  const { trans } = tools;
  const [chosen, choose] = React.useState(0);
  const source = sources?.[chosen];
  const text = React.useMemo(() => {
    return source && isText(job.format) ? new TextDecoder().decode(source) : null;
  }, [source, job.format]);
  const circuit = React.useMemo(() => {
    return text !== null && job.format.startsWith('openqasm') ? drawing(text) : null;
  }, [text, job.format]);
  return (
    <Section
      title={trans.__('Program')}
      actions={
        source && (
          <button
            type="button"
            className="jp-QPI-Action jp-mod-styled"
            onClick={() => save(new Blob([source.slice()]), `${job.id}-${chosen}${suffix(job)}`)}
          >
            {trans.__('Download')}
          </button>
        )
      }
    >
      {sources !== null && sources.length > 1 && (
        <label className="jp-QPI-CircuitChoice">
          {trans.__('Circuit')}{' '}
          <select
            className="jp-mod-styled"
            value={chosen}
            onChange={event => choose(Number(event.target.value))}
          >
            {sources.map((_, index) => (
              <option key={String(index)} value={index}>
                {index + 1}
              </option>
            ))}
          </select>{' '}
          {trans.__('of %1', sources.length)}
        </label>
      )}
      {sources === null && <p className="jp-QPI-Detail">{trans.__('Loading…')}</p>}
      {source && text === null && (
        <p className="jp-QPI-Detail">
          {trans.__('A QPY file of %1 bytes, which only Qiskit reads.', source.length)}
        </p>
      )}
      {circuit !== null && <CircuitView drawing={circuit} tools={tools} />}
      {text !== null && <Code text={text} tools={tools} />}
    </Section>
  );
}

/** Text in JupyterLab's own editor, to be read only. */
function Code(props: { text: string; tools: ITools }): React.ReactElement {
  const { text } = props;
  const { editors, trans } = props.tools;
  const host = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (!host.current || editors === null) {
      return;
    }
    const model = new CodeEditor.Model({ mimeType: OPENQASM_MIME });
    model.sharedModel.setSource(text);
    const config = { readOnly: true, lineNumbers: true };
    const editor = editors.newInlineEditor({ host: host.current, model, config });
    host.current.querySelector('.cm-content')?.setAttribute('aria-label', trans.__('Program'));
    return () => {
      editor.dispose();
      model.dispose();
    };
  }, [text, editors, trans]);
  return editors === null ? (
    <pre className="jp-QPI-Code">{text}</pre>
  ) : (
    <div ref={host} className="jp-QPI-Code" />
  );
}

function suffix(job: JobModel): string {
  return { openqasm2: '.qasm', openqasm3: '.qasm', qpy: '.qpy', 'quantify-schedule': '.json' }[
    job.format
  ];
}
