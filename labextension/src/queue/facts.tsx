import type * as React from 'react';
import { shortLength } from '../board/values';
import { lineWords, signedLength } from '../ledger';
import { span } from '../prospects';
import type { JobModel, JobProvenance, LabEvent } from '../wire';
import { stamp } from '../words';
import { attempts, ledger, story } from './story';
import type { ITools } from './tools';
import { moment } from './words';

interface IProps {
  readonly events: readonly LabEvent[];
  readonly tools: ITools;
}

export function Section(props: {
  title: string;
  children: React.ReactNode;
  actions?: React.ReactNode;
}): React.ReactElement {
  return (
    <section className="jp-QPI-JobSection" aria-label={props.title}>
      <div className="jp-QPI-JobSectionHead">
        <h2>{props.title}</h2>
        {props.actions}
      </div>
      {props.children}
    </section>
  );
}

/** What happened to the job and its family, oldest first. */
export function Story(
  props: IProps & { called: ReadonlyMap<string, string>; alone: boolean }
): React.ReactElement {
  const { alone, called, events, tools } = props;
  const now = tools.manager.now();
  return (
    <Section title={tools.trans.__('History')}>
      <ol className="jp-QPI-Story">
        {story(events, tools.trans).map(item => (
          <li key={item.seq}>
            <time dateTime={item.at}>{moment(item.at, now)}</time>
            <span>
              {called.has(item.job) && <strong>{called.get(item.job)}: </strong>}
              {item.text}
            </span>
          </li>
        ))}
      </ol>
      {alone && (
        <p className="jp-QPI-Detail">
          {tools.trans.__('In a notebook, job.story() tells the history of the whole family.')}
        </p>
      )}
    </Section>
  );
}

/** Who tried to run it. */
export function Attempts(props: IProps): React.ReactElement {
  const { trans } = props.tools;
  const found = attempts(props.events, trans);
  const now = props.tools.manager.now();
  return (
    <Section title={trans.__('Attempts')}>
      {found.length === 0 && <p className="jp-QPI-Detail">{trans.__('No attempts yet.')}</p>}
      {found.length > 0 && (
        <Table
          heads={[
            '#',
            trans.__('Driver'),
            trans.__('Taken'),
            trans.__('Ended'),
            trans.__('Outcome')
          ]}
        >
          {found.map(attempt => [
            attempt.number,
            attempt.driver,
            moment(attempt.taken, now),
            attempt.ended === null ? '' : moment(attempt.ended, now),
            attempt.outcome
          ])}
        </Table>
      )}
    </Section>
  );
}

/** What its account was asked for. */
export function Ledger(props: IProps): React.ReactElement | null {
  const { trans } = props.tools;
  const lines = ledger(props.events);
  const now = props.tools.manager.now();
  const words = lineWords(trans);
  const used = -lines.reduce((sum, line) => sum + line.amount_s, 0);
  return lines.length === 0 ? null : (
    <Section title={trans.__('QPU time')}>
      <Table heads={[trans.__('When'), trans.__('Entry'), trans.__('Amount'), trans.__('Account')]}>
        {lines.map(line => [
          moment(line.at, now),
          words[line.kind],
          signedLength(line.amount_s, trans),
          line.account
        ])}
      </Table>
      {lines.length > 1 && (
        <p className="jp-QPI-Detail">{trans.__('%1 in total', shortLength(used, trans))}</p>
      )}
    </Section>
  );
}

/** What was asked for, and what the result came from. */
export function Provenance(props: {
  job: JobModel;
  provenance: JobProvenance | null;
  tools: ITools;
}): React.ReactElement {
  const { job, provenance } = props;
  const { trans } = props.tools;
  const { circuits, extra, ...options } = provenance?.options ?? {};
  // The program that ran is the one that was asked for
  const { program_sha256, ...result } = provenance?.result ?? {};
  const facts: [string, unknown][] = [
    [trans.__('Job'), job.id],
    [trans.__('Program (SHA-256)'), provenance?.program_sha256],
    [trans.__('Notebook'), job.origin.notebook],
    [trans.__('Cell run'), job.origin.execution_count],
    ...Object.entries({ ...options, ...extra }),
    ...Object.entries(result).map(([name, value]): [string, unknown] => [
      resultWords(trans)[name] ?? name,
      name.endsWith('_at') && typeof value === 'string'
        ? stamp(value, props.tools.manager.now(), true)
        : value
    ]),
    [trans.__('Dataset (SHA-256)'), job.dataset?.sha256],
    [trans.__('Options not applied'), provenance?.not_applied?.join(', ')],
    [trans.__('Only on calibration'), job.calibration],
    [trans.__('Estimate'), job.estimate_s === null ? null : span(job.estimate_s, trans)]
  ];
  const own = circuits?.length ?? 0;
  if (own > 0) {
    facts.push([trans.__('Circuits with own options'), own]);
  }
  return (
    <Section title={trans.__('Provenance')}>
      <dl className="jp-QPI-Facts">
        {facts
          .filter(([, value]) => value !== null && value !== undefined && value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{inWords(value)}</dd>
            </div>
          ))}
      </dl>
    </Section>
  );
}

/** What the facts of a result are called; what an executor adds goes by its own names. */
function resultWords(trans: ITools['trans']): Readonly<Record<string, string>> {
  return {
    executor: trans.__('Executor'),
    executor_version: trans.__('Executor version'),
    simulator: trans.__('Simulator'),
    libraries: trans.__('Libraries'),
    config_sha256: trans.__('Configuration (SHA-256)'),
    calibration_id: trans.__('Calibration'),
    started_at: trans.__('Started'),
    finished_at: trans.__('Ended'),
    busy_s: trans.__('QPU busy (s)'),
    readout: trans.__('Readout'),
    seed: trans.__('Seed')
  };
}

/** A value of the provenance: names with their values, or JSON where it is deeper. */
function inWords(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  const parts = Object.entries(value);
  const flat = parts.every(([, part]) => typeof part === 'string' || typeof part === 'number');
  return flat ? parts.map(([name, part]) => `${name} ${part}`).join(', ') : JSON.stringify(value);
}

export function Table(props: {
  heads: readonly string[];
  children: readonly (readonly React.ReactNode[])[];
}): React.ReactElement {
  return (
    <table className="jp-QPI-Plain">
      <thead>
        <tr>
          {props.heads.map((head, column) => (
            <th key={String(column)} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.children.map((cells, row) => (
          <tr key={String(row)}>
            {cells.map((cell, column) => (
              <td key={String(column)}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
