import * as React from 'react';
import { Scroll } from '../board/cells';

import { save } from '../queue/told';
import type { ReplayModel } from '../wire';
import { byPerson, comparison, csvOf, figureOf, type IRow } from './policies';
import type { ISectionProps } from './section';

/** The figures of all policies side by side. */
export function Results(props: {
  readonly replay: ReplayModel;
  readonly section: ISectionProps;
}): React.ReactElement {
  const { results } = props.replay;
  const { trans } = props.section;
  const groups = React.useMemo(() => comparison(results, trans), [results, trans]);
  const names = results.map(one => one.name);
  const [people, showPeople] = React.useState(false);
  const name = `replay-${props.replay.started_at.slice(0, 10)}`;
  return (
    <>
      <div className="jp-QPI-AdminActions">
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => save(file(JSON.stringify(props.replay, null, 2), 'json'), `${name}.json`)}
        >
          {trans.__('Download JSON')}
        </button>
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => save(file(csvOf(results, trans), 'csv'), `${name}.csv`)}
        >
          {trans.__('Download CSV')}
        </button>
      </div>
      <Scroll label={trans.__('Comparison of the policies')}>
        <table
          className="jp-QPI-AdminTable jp-QPI-AdminCompared"
          aria-label={trans.__('Comparison of the policies')}
        >
          <Head section={props.section} names={names} />
          {groups.map(group => (
            <tbody key={group.id}>
              <tr>
                <th colSpan={results.length + 1} scope="rowgroup">
                  {group.title}
                  <div className="jp-QPI-Detail">{group.text}</div>
                </th>
              </tr>
              {group.rows.map(row => (
                <Figures key={row.id} row={row} names={names} section={props.section} />
              ))}
            </tbody>
          ))}
        </table>
      </Scroll>
      <details onToggle={event => showPeople(event.currentTarget.open)}>
        <summary>{trans.__('Mean waiting time of each person')}</summary>
        {people && <People replay={props.replay} section={props.section} />}
      </details>
    </>
  );
}

function People(props: {
  readonly replay: ReplayModel;
  readonly section: ISectionProps;
}): React.ReactElement {
  const { results } = props.replay;
  const { trans } = props.section;
  const rows = React.useMemo(() => byPerson(results), [results]);
  return (
    <Scroll label={trans.__('Mean waiting time of each person')}>
      <table
        className="jp-QPI-AdminTable jp-QPI-AdminCompared"
        aria-label={trans.__('Mean waiting time of each person')}
      >
        <Head section={props.section} names={results.map(one => one.name)} />
        <tbody>
          {rows.map(({ name, jobs, row }) => (
            <Figures
              key={name}
              row={row}
              names={results.map(one => one.name)}
              section={props.section}
              detail={trans._n('one job', '%2 jobs', jobs, jobs.toLocaleString())}
            />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Head(props: {
  readonly section: ISectionProps;
  readonly names: readonly string[];
}): React.ReactElement {
  return (
    <thead>
      <tr>
        <th scope="col">
          <span className="jp-QPI-AdminUnseen">{props.section.trans.__('Figure')}</span>
        </th>
        {props.names.map(name => (
          <th key={name} scope="col">
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Figures(props: {
  readonly row: IRow;
  readonly names: readonly string[];
  readonly section: ISectionProps;
  readonly detail?: string;
}): React.ReactElement {
  const { row } = props;
  return (
    <tr data-key={row.id}>
      <th scope="row">
        {row.label}
        {props.detail !== undefined && <span className="jp-QPI-Detail"> {props.detail}</span>}
      </th>
      {row.values.map((value, i) => (
        <td key={`${i}`} data-label={props.names[i]} data-best={row.best[i]}>
          <span className="jp-QPI-AdminFigure">{figureOf(value, row.unit)}</span>
          {row.best[i] && (
            <span className="jp-QPI-AdminBest">{props.section.trans.__('best')}</span>
          )}
          <span
            className="jp-QPI-AdminBar"
            aria-hidden="true"
            style={{ inlineSize: `${100 * (row.bars[i] ?? 0)}%` }}
          />
        </td>
      ))}
    </tr>
  );
}

function file(text: string, kind: 'json' | 'csv'): Blob {
  return new Blob([text], { type: kind === 'json' ? 'application/json' : 'text/csv' });
}
