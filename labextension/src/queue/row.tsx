import * as React from 'react';
import { jobNote } from '../prospects';

import { jobRow, qpusOf } from '../rows';
import type { JobModel } from '../wire';
import { sizeOf } from '../words';
import type { QueueModel } from './model';
import type { ITools } from './tools';
import { moment, number, wholeMoment } from './words';

/** The height of a row (px); the style sheet has the same. */
export const ROW = 36;

export interface IRowProps {
  readonly index: number;
  readonly job: JobModel;
  readonly model: QueueModel;
  readonly selected: boolean;
  /** Whether the keyboard is here. */
  readonly current: boolean;
  readonly tools: ITools;
  open(job: JobModel): void;
  click(job: JobModel, event: React.MouseEvent): void;
}

/** A job; drawn anew only where it, its place or its selection changed. */
export const Row = React.memo(
  function JobRow(props: IRowProps): React.ReactElement {
    const { index, job, model, tools } = props;
    const now = tools.manager.now();
    const row = jobRow(job, now, tools.trans);
    const note = jobNote(job, now, tools.trans);
    return (
      <div
        id={rowId(job.id)}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={props.selected}
        className="jp-QPI-JobRow"
        data-current={props.current}
        data-key={job.id}
        data-tone={row.tone}
        style={{ transform: `translateY(${index * ROW}px)` }}
        onClick={event => props.click(job, event)}
        onDoubleClick={() => props.open(job)}
      >
        <span role="gridcell" data-column="state" title={row.state}>
          <span className="jp-QPI-Dot" aria-hidden="true" />
          {row.state}
        </span>
        <span role="gridcell" data-column="name">
          <button
            type="button"
            className="jp-QPI-Link"
            tabIndex={-1}
            title={row.title}
            onClick={event => {
              if (!event.shiftKey && !event.ctrlKey && !event.metaKey) {
                props.open(job);
              }
            }}
          >
            {row.title}
          </button>
          {job.tags.map(tag => (
            <button
              type="button"
              key={tag}
              className="jp-QPI-Chip"
              tabIndex={-1}
              title={tools.trans.__('Only jobs tagged %1', tag)}
              onClick={() =>
                void model.filter({ tags: [...new Set([...model.filters.tags, tag])] })
              }
            >
              {tag}
            </button>
          ))}
        </span>
        <span role="gridcell" data-column="qpu" title={qpusOf(job)}>
          {qpusOf(job)}
        </span>
        <span role="gridcell" data-column="owner" title={job.owner}>
          {job.owner}
        </span>
        <span role="gridcell" data-column="shots" title={sizeOf(job, tools.trans)}>
          {job.num_circuits > 1 && `${number(job.num_circuits)} × `}
          {number(job.shots)}
        </span>
        <span role="gridcell" data-column="submitted" title={wholeMoment(job.submitted_at)}>
          {moment(job.submitted_at, now)}
        </span>
        <span role="gridcell" data-column="detail" title={note}>
          {job.phase === 'running' && <Progress job={job} />}
          {note}
        </span>
      </div>
    );
  },
  (a, b) =>
    a.job === b.job &&
    a.index === b.index &&
    a.selected === b.selected &&
    a.current === b.current &&
    a.click === b.click
);

function Progress(props: { job: JobModel }): React.ReactElement {
  return <progress max={1} value={props.job.progress} aria-label={props.job.name} />;
}

export function rowId(id: string): string {
  return `jp-QPI-row-${id}`;
}
