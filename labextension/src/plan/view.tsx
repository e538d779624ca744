import '../../style/plan.css';

import type * as React from 'react';

import { Section, Table } from '../queue/facts';
import { CommandIDs, type ITools } from '../queue/tools';
import { moment } from '../queue/words';
import { jobState } from '../rows';
import type { FragmentRun, PlanModel, PlanRun } from '../wire';
import { Circuit } from './circuit';
import { COLORS, qpusOf } from './drawn';
import { Times } from './times';
import { figure, kindWord, planWords, qubitWords } from './words';

interface IProps {
  readonly run: PlanRun;
  readonly tools: ITools;
}

/** How a job's circuit is spread over QPUs: what was planned, and what becomes of it, live. */
export default function Plan({ run, tools }: IProps): React.ReactElement {
  const { trans } = tools;
  const { plan } = run;
  if (plan === null) {
    return (
      <Section title={trans.__('Plan')}>
        <p role="status" className="jp-QPI-Detail">
          {trans.__('The circuit is being planned…')}
        </p>
      </Section>
    );
  }
  const qpus = qpusOf(plan, run.fragments);
  const color = (qpu: string) => Math.max(0, qpus.indexOf(qpu)) % COLORS;
  const on = new Map(run.fragments.map(fragment => [fragment.index, fragment.qpu]));
  const qpuOf = (index: number) =>
    on.get(index) ?? plan.fragments.find(one => one.index === index)?.choices[0]?.qpu ?? '';
  return (
    <Section title={trans.__('Plan')} actions={<span>{planWords(plan, run.cost_s, trans)}</span>}>
      <div className="jp-QPI-Plan">
        {run.deadline_at !== null && (
          <p className="jp-QPI-Detail">
            {trans.__('To be done by %1', moment(run.deadline_at, tools.manager.now()))}
          </p>
        )}
        <ul className="jp-QPI-PlanKey" aria-label={trans.__('QPUs')}>
          {qpus.map(qpu => (
            <li key={qpu}>
              <span className="jp-QPI-PlanSwatch" data-qpu={color(qpu)} aria-hidden="true" />
              {qpu}
            </li>
          ))}
        </ul>
        {plan.operations.length > 0 && (
          <Circuit plan={plan} qpuOf={qpuOf} color={color} trans={trans} />
        )}
        <Fragments plan={plan} run={run} color={color} tools={tools} />
        <Times runs={run.fragments} color={color} tools={tools} />
        <Alternatives plan={plan} tools={tools} />
      </div>
    </Section>
  );
}

function Fragments(props: {
  plan: PlanModel;
  run: PlanRun;
  color: (qpu: string) => number;
  tools: ITools;
}): React.ReactElement {
  const { color, plan, run, tools } = props;
  const { trans } = tools;
  const runs = new Map(run.fragments.map(fragment => [fragment.index, fragment]));
  return (
    <Table
      heads={[
        trans.__('Fragment'),
        trans.__('Qubits'),
        trans.__('Experiments'),
        trans.__('QPU'),
        trans.__('Status'),
        trans.__('Success probability'),
        trans.__('Attempts')
      ]}
    >
      {plan.fragments.map(fragment => {
        const own = runs.get(fragment.index);
        const choice = fragment.choices[0];
        const qpu = own?.qpu ?? choice?.qpu ?? '';
        const esp = own?.observed_esp ?? own?.esp ?? choice?.cost.esp ?? null;
        return [
          own ? <Open key="job" run={own} tools={tools} /> : fragment.index,
          qubitWords(fragment.qubits),
          trans.__('%1 × %2 shots', fragment.num_circuits, fragment.shots.toLocaleString()),
          <span key="qpu" className="jp-QPI-PlanQpu">
            <span className="jp-QPI-PlanSwatch" data-qpu={color(qpu)} aria-hidden="true" />
            {qpu}
            {own?.fallback && (
              <span className="jp-QPI-Chip" title={choice?.qpu}>
                {trans.__('fallback for %1', choice?.qpu ?? '')}
              </span>
            )}
          </span>,
          own ? <State key="state" run={own} tools={tools} /> : '',
          <span key="esp">
            {figure(esp)}
            {own?.below && (
              <span className="jp-QPI-Chip" data-tone="bad">
                {trans.__('below %1', figure(plan.request.min_fidelity))}
              </span>
            )}
          </span>,
          own ? own.attempts.length : ''
        ];
      })}
    </Table>
  );
}

function Open(props: { run: FragmentRun; tools: ITools }): React.ReactElement {
  const { run, tools } = props;
  const open = () => void tools.commands.execute(CommandIDs.openJob, { id: run.job_id });
  return (
    <button
      type="button"
      className="jp-QPI-Link"
      title={run.job_id}
      aria-label={tools.trans.__('Open the job of fragment %1', run.index)}
      onClick={open}
    >
      {run.index}
    </button>
  );
}

function State(props: { run: FragmentRun; tools: ITools }): React.ReactElement {
  const { run, tools } = props;
  const [word, tone] = jobState(run.phase, tools.trans, 'place');
  return (
    <>
      <span className="jp-QPI-Member" data-tone={tone}>
        <span className="jp-QPI-Dot" aria-hidden="true" />
        {word}
      </span>
      {run.error !== null && <p className="jp-QPI-PlanError">{run.error.message}</p>}
    </>
  );
}

/** The other ways that were weighed, the one that was taken first. */
function Alternatives(props: { plan: PlanModel; tools: ITools }): React.ReactElement | null {
  const { plan, tools } = props;
  const { trans } = tools;
  if (plan.alternatives.length === 0) {
    return null;
  }
  return (
    <details>
      <summary>{trans._n('%1 alternative', '%1 alternatives', plan.alternatives.length)}</summary>
      <Table
        heads={[
          trans.__('Way'),
          trans.__('Widest part'),
          trans.__('QPUs'),
          trans.__('Overhead'),
          trans.__('Cost'),
          trans.__('Not possible because')
        ]}
      >
        {[
          [
            <strong key="taken">{trans.__('%1 (this plan)', kindWord(plan.kind, trans))}</strong>,
            Math.max(0, ...plan.fragments.map(fragment => fragment.num_qubits)),
            plan.fragments.map(fragment => fragment.choices[0]?.qpu ?? '').join(', '),
            figure(plan.overhead),
            figure(plan.cost),
            ''
          ],
          ...plan.alternatives.map(other => [
            kindWord(other.kind, trans),
            other.width,
            other.qpus.join(', '),
            figure(other.overhead),
            figure(other.cost),
            other.problem
          ])
        ]}
      </Table>
    </details>
  );
}
