import '../../style/admin.css';
import '../../style/queue.css';
import '../../style/outputs.css';

import * as React from 'react';

import { Field, type IField, Problem } from '../board/form';
import { fieldsOf, type ISchema, valuesOf } from '../board/schema';
import type { Values } from '../board/values';
import { useModel } from '../hooks';
import { messageAt } from '../messageat';
import { type IPreview, readPreview } from '../outputs/preview';
import { PreviewView } from '../outputs/previewview';
import { drawing } from '../queue/circuit';
import { CircuitView } from '../queue/circuitview';
import { qpuRow } from '../rows';
import type { QpuDetail } from '../wire';
import type { IWidgetModel, Kernel } from './kernel';
import { KernelLab } from './lab';
import { anywidget } from './mount';
import { english as trans } from './words';

/** What the lab's answers call the fields, and what the form does. */
const LABELS = {
  program: trans.__('Program (OpenQASM)'),
  qpu: trans.__('QPU'),
  shots: trans.__('Shots'),
  name: trans.__('Name'),
  parameter_values: trans.__('Parameter values')
};

interface IProps {
  readonly model: IWidgetModel;
  readonly kernel: Kernel;
  readonly lab: KernelLab;
}

/** What a QPU's executor understands besides, each as its executor declares it. */
function useOptions(lab: KernelLab, qpu: string): ISchema {
  const [options, setOptions] = React.useState<ISchema>({});
  React.useEffect(() => {
    let wanted = true;
    setOptions({});
    if (qpu !== '') {
      lab.request<QpuDetail>(`qpus/${encodeURIComponent(qpu)}`).then(
        ({ manifest }) => wanted && setOptions(schemaOf(manifest)),
        () => undefined // the lab says so when the job is submitted
      );
    }
    return () => {
      wanted = false;
    };
  }, [lab, qpu]);
  return options;
}

function schemaOf(manifest: QpuDetail['manifest']): ISchema {
  const schemas = manifest?.option_schemas ?? {};
  const options = manifest?.options ?? [];
  return { properties: Object.fromEntries(options.map(name => [name, schemas[name] ?? {}])) };
}

function Form({ model, kernel, lab }: IProps): React.ReactElement {
  const { qpus, problem: away } = useModel(lab);
  const [values, setValues] = React.useState(model.get('value') as Values);
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState('');
  const [done, setDone] = React.useState('');
  const [shown, setShown] = React.useState<IPreview | null>(null);
  const given = String(model.get('source'));
  const schema = useOptions(lab, String(values.qpu ?? ''));
  const set = (name: string, value: string | boolean) => {
    const next = { ...values, [name]: value };
    setValues(next);
    setShown(null); // another job than the one that was previewed
    model.set('value', next);
    model.save_changes();
  };
  const fields: readonly IField[] = [
    {
      name: 'qpu',
      label: LABELS.qpu,
      kind: 'choice',
      choices: [
        { value: '', label: trans.__('Any suitable simulator') },
        ...qpus.map(qpu => {
          const { state, detail } = qpuRow(qpu, lab.now(), trans);
          return { value: qpu.name, label: `${qpu.name} (${state} · ${detail})` };
        })
      ]
    },
    { name: 'shots', label: LABELS.shots },
    { name: 'name', label: LABELS.name, longest: 200 },
    {
      name: 'parameter_values',
      label: LABELS.parameter_values,
      hint: trans.__('As Python writes them: 0.5, or [0.1, 0.2], or {"theta": [0.1, 0.2]}.')
    },
    ...fieldsOf(schema, trans)
  ];
  const submit = async () => {
    setBusy(true);
    setProblem('');
    setDone('');
    try {
      const body = { ...values, options: valuesOf(schema, values) };
      const job = await kernel.call<{ id: string; name: string }>('submit', body);
      setDone(trans.__('Submitted: %1', job.name ? `${job.name} (${job.id})` : job.id));
    } catch (error) {
      setProblem(messageAt(error, LABELS));
    } finally {
      setBusy(false);
    }
  };
  const look = async () => {
    setBusy(true);
    setProblem('');
    setDone('');
    try {
      setShown(
        readPreview(
          await kernel.call<unknown>('preview', { ...values, options: valuesOf(schema, values) })
        )
      );
    } catch (error) {
      setShown(null);
      setProblem(messageAt(error, LABELS));
    } finally {
      setBusy(false);
    }
  };
  const picture = drawing(given || String(values.program ?? ''));
  const id = React.useId();
  return (
    <form
      className="jp-QPI-AdminForm"
      noValidate // what is wrong is said in the form
      aria-label={trans.__('Submit a job')}
      onKeyDown={event => {
        // In a notebook's output a page does not submit by itself.
        if (event.key === 'Enter' && event.target instanceof HTMLInputElement) {
          event.preventDefault();
          event.currentTarget.requestSubmit();
        }
      }}
      onSubmit={event => {
        event.preventDefault();
        if (!busy) {
          void submit();
        }
      }}
    >
      {given === '' && (
        <div className="jp-QPI-AdminField" data-kind="area">
          <label htmlFor={id}>{LABELS.program}</label>
          <textarea
            id={id}
            className="jp-mod-styled jp-QPI-Program"
            rows={8}
            spellCheck={false}
            value={String(values.program ?? '')}
            onChange={event => set('program', event.target.value)}
          />
        </div>
      )}
      {picture !== null && <CircuitView drawing={picture} tools={{ trans }} />}
      <div className="jp-QPI-AdminFields">
        {fields.map(field => (
          <Field
            key={field.name}
            field={field}
            value={values[field.name] ?? ''}
            onChange={value => set(field.name, value)}
          />
        ))}
      </div>
      {problem !== '' && <Problem>{problem}</Problem>}
      {away !== null && <Problem>{away}</Problem>}
      <div className="jp-QPI-AdminActions">
        <button
          type="submit"
          className="jp-mod-styled jp-mod-accept"
          disabled={busy}
          aria-busy={busy}
        >
          {trans.__('Submit')}
        </button>
        <button
          type="button"
          className="jp-mod-styled"
          disabled={busy || !values.qpu}
          title={trans.__('See the native circuit, its pulses and its cost; nothing runs')}
          onClick={() => void look()}
        >
          {trans.__('Preview')}
        </button>
        <span role="status" className="jp-QPI-Detail">
          {busy ? trans.__('Checking the program…') : done}
        </span>
      </div>
      {shown && <PreviewView preview={shown} trans={trans} />}
    </form>
  );
}

export default anywidget('SubmitForm', 'Admin', ({ model, kernel }) => {
  const lab = new KernelLab(kernel, ['qpus']);
  return {
    element: <Form model={model} kernel={kernel} lab={lab} />,
    dispose: () => lab.dispose()
  };
});
