import * as React from 'react';

import { jobRow } from '../rows';
import type { JobModel } from '../wire';
import { cancelJob, deleteJob } from './actions';
import type { QueueModel } from './model';
import { CommandIDs, type ITools } from './tools';
import { jobNote, moment, number, wholeMoment } from './words';

/** The height of a row (px); the style sheet has the same. */
const ROW = 36;
/** Rows drawn above and below what is in view. */
const MORE = 4;

interface IProps {
  readonly model: QueueModel;
  readonly tools: ITools;
}

/** The jobs, of which only those in view are drawn. */
export function JobTable(props: IProps): React.ReactElement {
  const { model, tools } = props;
  const { trans } = tools;
  const grid = React.useRef<HTMLDivElement>(null);
  const [first, last] = useWindow(grid, model);
  const [selected, select] = React.useState<string | null>(null);
  useAnchor(grid, model);
  React.useEffect(() => model.look(first, last), [model, first, last]);

  const open = (job: JobModel) => void tools.commands.execute(CommandIDs.openJob, { id: job.id });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const now = selected === null ? -1 : model.indexOf(selected);
    const job = model.at(now);
    const next = target(event.key, now, model.length, last - first - 2 * MORE);
    if (next !== null) {
      select(model.at(next)?.id ?? null);
      show(grid.current, next);
    } else if (event.key === 'Enter' && job) {
      open(job);
    } else if (event.key === 'Delete' && job) {
      void (jobRow(job, trans).cancellable ? cancelJob(tools, job) : deleteJob(tools, job));
    } else {
      return;
    }
    event.preventDefault();
  };

  let active: string | undefined;
  const rows: React.ReactElement[] = [];
  const slots = last - first + 1;
  for (let index = first; index <= Math.min(last, model.length - 1); index += 1) {
    const job = model.at(index);
    if (job) {
      active = job.id === selected ? rowId(job.id) : active;
      const own = { index, job, model, open, select, tools, selected: job.id === selected };
      // A row that leaves the window is the one that comes in at its other end.
      rows.push(<Row key={index % slots} {...own} />);
    }
  }
  return (
    <div className="jp-QPI-Table" data-mine={model.filters.mine}>
      <div
        ref={grid}
        className="jp-QPI-TableScroll"
        role="grid"
        aria-label={trans.__('Jobs')}
        aria-rowcount={model.complete ? model.length + 1 : -1}
        aria-busy={model.loading}
        aria-activedescendant={active}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <Header tools={tools} />
        {rows.length > 0 && (
          <div role="rowgroup" className="jp-QPI-TableRows" style={{ height: model.length * ROW }}>
            {rows}
          </div>
        )}
      </div>
      {model.length === 0 && model.complete && model.problem === null && (
        <Empty model={model} tools={tools} />
      )}
    </div>
  );
}

function Header(props: { tools: ITools }): React.ReactElement {
  const { trans } = props.tools;
  const heads = [
    ['state', trans.__('State')],
    ['name', trans.__('Name and tags')],
    ['qpu', trans.__('QPU')],
    ['owner', trans.__('Owner')],
    ['shots', trans.__('Shots')],
    ['at', trans.__('Submitted')],
    ['detail', trans.__('What it waits for, or came to')]
  ] as const;
  return (
    <div role="rowgroup" className="jp-QPI-TableHead">
      <div role="row" aria-rowindex={1} className="jp-QPI-JobRow">
        {heads.map(([name, text]) => (
          <span
            key={name}
            role="columnheader"
            data-column={name}
            {...(name === 'at' && { 'aria-sort': 'descending' as const })}
          >
            {text}
            {name === 'at' && ' ↓'}
          </span>
        ))}
      </div>
    </div>
  );
}

function Empty(props: IProps): React.ReactElement {
  const { model } = props;
  const { trans } = props.tools;
  const { mine, ...others } = model.filters;
  const filtered = Object.values(others).some(value => value !== null && value.length > 0);
  return (
    <p className="jp-QPI-QueueEmpty">
      {filtered
        ? trans.__('No job is like that. Take a filter away to see more.')
        : mine
          ? trans.__('No jobs yet. Submit one from a notebook with %%qpi_submit.')
          : trans.__('No jobs yet.')}
    </p>
  );
}

interface IRowProps extends IProps {
  readonly index: number;
  readonly job: JobModel;
  readonly selected: boolean;
  open(job: JobModel): void;
  select(id: string): void;
}

/** Drawn anew only where its job, its place or its selection changed. */
const Row = React.memo(
  function JobRow(props: IRowProps): React.ReactElement {
    const { index, job, model, tools } = props;
    const row = jobRow(job, tools.trans);
    const note = jobNote(job, tools.trans);
    return (
      <div
        id={rowId(job.id)}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={props.selected}
        className="jp-QPI-JobRow"
        data-key={job.id}
        data-tone={row.tone}
        style={{ transform: `translateY(${index * ROW}px)` }}
        onClick={() => props.select(job.id)}
        onDoubleClick={() => props.open(job)}
      >
        <span role="gridcell" data-column="state">
          <span className="jp-QPI-Dot" aria-hidden="true" />
          {row.state}
        </span>
        <span role="gridcell" data-column="name">
          <button
            type="button"
            className="jp-QPI-Link"
            tabIndex={-1}
            title={row.title}
            onClick={() => props.open(job)}
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
        <span role="gridcell" data-column="qpu">
          {job.qpu}
        </span>
        <span role="gridcell" data-column="owner">
          {job.owner}
        </span>
        <span role="gridcell" data-column="shots">
          {number(job.shots)}
        </span>
        <span role="gridcell" data-column="at" title={wholeMoment(job.submitted_at)}>
          {moment(job.submitted_at)}
        </span>
        <span role="gridcell" data-column="detail" title={note}>
          {job.phase === 'running' && <Progress job={job} />}
          {note}
        </span>
      </div>
    );
  },
  (a, b) => a.job === b.job && a.index === b.index && a.selected === b.selected
);

function Progress(props: { job: JobModel }): React.ReactElement {
  return <progress max={1} value={props.job.progress} aria-label={props.job.name} />;
}

function rowId(id: string): string {
  return `jp-QPI-row-${id}`;
}

/** Where a key leads to from row `now`; null if it is none of those that move. */
function target(key: string, now: number, length: number, page: number): number | null {
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: now + 1,
    ArrowUp: now - 1,
    PageDown: now + page,
    PageUp: now - page,
    Home: 0,
    End: length - 1
  };
  const to = moves[key];
  return to === undefined || length === 0 ? null : Math.max(0, Math.min(length - 1, to));
}

/** Scroll as little as it takes to have the row in view, below the header. */
function show(grid: HTMLElement | null, index: number): void {
  if (grid) {
    const [top, bottom] = [index * ROW, (index + 2) * ROW];
    if (top < grid.scrollTop) {
      grid.scrollTop = top;
    } else if (bottom > grid.scrollTop + grid.clientHeight) {
      grid.scrollTop = bottom - grid.clientHeight;
    }
  }
}

/** The first and the last row to draw. */
function useWindow(grid: React.RefObject<HTMLElement>, model: QueueModel): [number, number] {
  const [range, setRange] = React.useState<[number, number]>([0, 0]);
  React.useLayoutEffect(() => {
    const node = grid.current;
    if (!node) {
      return;
    }
    const measure = () => {
      const first = Math.max(0, Math.floor(node.scrollTop / ROW) - MORE);
      const count = Math.ceil(node.clientHeight / ROW);
      const next: [number, number] = [first, first + count + 2 * MORE];
      setRange(old => (old[0] === next[0] && old[1] === next[1] ? old : next));
    };
    const watcher = new ResizeObserver(measure);
    watcher.observe(node);
    node.addEventListener('scroll', measure, { passive: true });
    measure();
    return () => {
      watcher.disconnect();
      node.removeEventListener('scroll', measure);
    };
  }, [grid, model]);
  return range;
}

/** What is being read stays where it is when new jobs come in above it. */
function useAnchor(grid: React.RefObject<HTMLElement>, model: QueueModel): void {
  const top = React.useRef<string | null>(null);
  const row = React.useRef(0);
  React.useLayoutEffect(() => {
    const node = grid.current;
    if (!node) {
      return;
    }
    const same = model.at(row.current)?.id === top.current;
    const index = same || top.current === null ? -1 : model.indexOf(top.current);
    if (index >= 0 && index !== row.current && node.scrollTop >= ROW) {
      node.scrollTop += (index - row.current) * ROW;
    }
    row.current = Math.floor(node.scrollTop / ROW);
    top.current = model.at(row.current)?.id ?? null;
  });
}
