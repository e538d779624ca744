import { CodeEditor } from '@jupyterlab/codeeditor';
import * as React from 'react';

import { OPENQASM_MIME } from '../around/openqasm';
import type { JobModel, ProgramText } from '../wire';
import { CircuitChoice } from './choice';
import { drawing } from './circuit';
import { CircuitView } from './circuitview';
import { Section } from './facts';
import { suffixOf } from './program';
import { save } from './told';
import type { ITools } from './tools';

/** What was submitted, circuit by circuit. */
export function ProgramView(props: {
  job: JobModel;
  program: ProgramText | null;
  sources: readonly Uint8Array[] | null;
  tools: ITools;
}): React.ReactElement {
  const { job, program, sources, tools } = props;
  const { trans } = tools;
  const [chosen, choose] = React.useState(0);
  const circuit = program?.circuits[chosen];
  const text = circuit?.text ?? null;
  const isQasm = program?.language === OPENQASM_MIME;
  const drawn = React.useMemo(
    () => (text === null || !isQasm ? null : drawing(text)),
    [text, isQasm]
  );
  const asSent = program?.as_sent ?? false;
  const hidden = (program?.total ?? 0) - (program?.circuits.length ?? 0);
  return (
    <Section
      title={trans.__('Program')}
      actions={
        <div className="jp-QPI-Buttons">
          {text !== null && (
            <Download
              label={
                asSent ? trans.__('Download') : isQasm ? trans.__('OpenQASM 3') : trans.__('Text')
              }
              parts={[text]}
              name={`${job.id}-${chosen}${asSent ? program?.suffix : isQasm ? '.qasm' : '.txt'}`}
            />
          )}
          {program !== null &&
            !asSent &&
            sources?.map((source, n) => (
              <Download
                key={String(n)}
                label={`${program.suffix.slice(1).toUpperCase()}${sources.length > 1 ? ` ${n + 1}` : ''}`}
                parts={[source.slice()]}
                name={`${job.id}-${n}${suffixOf(program, source)}`}
              />
            ))}
        </div>
      }
    >
      <CircuitChoice
        count={program?.circuits.length ?? 0}
        value={chosen}
        choose={choose}
        tools={tools}
      />
      {program === null && <p className="jp-QPI-Detail">{trans.__('Loading…')}</p>}
      {(program?.problem || circuit?.problem) && (
        <p className="jp-QPI-Detail">{program?.problem || circuit?.problem}</p>
      )}
      {hidden > 0 && (
        <p className="jp-QPI-Detail">
          {trans._n('%1 more circuit is not shown.', '%1 more circuits are not shown.', hidden)}
        </p>
      )}
      {drawn !== null && <CircuitView drawing={drawn} tools={tools} />}
      {text !== null && <Code text={text} language={program?.language ?? ''} tools={tools} />}
    </Section>
  );
}

function Download(props: { label: string; parts: BlobPart[]; name: string }): React.ReactElement {
  const { label, name, parts } = props;
  return (
    <button
      type="button"
      className="jp-QPI-Action jp-mod-styled"
      onClick={() => save(new Blob(parts), name)}
    >
      {label}
    </button>
  );
}

/** Text in JupyterLab's own editor, to be read only. */
function Code(props: { text: string; language: string; tools: ITools }): React.ReactElement {
  const { text, language } = props;
  const { editors, trans } = props.tools;
  const host = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (!host.current || editors === null) {
      return;
    }
    const model = new CodeEditor.Model({ mimeType: language || 'text/plain' });
    model.sharedModel.setSource(text);
    const config = { readOnly: true, lineNumbers: true };
    const editor = editors.newInlineEditor({ host: host.current, model, config });
    host.current.querySelector('.cm-content')?.setAttribute('aria-label', trans.__('Program'));
    return () => {
      editor.dispose();
      model.dispose();
    };
  }, [text, language, editors, trans]);
  return editors === null ? (
    <pre className="jp-QPI-Code">{text}</pre>
  ) : (
    <div ref={host} className="jp-QPI-Code" />
  );
}
