import * as React from 'react';

import type { JobModel } from '../wire';
import { endOrDelete } from './actions';
import { EVERYTHING_OF_MINE, isNarrow } from './filters';
import type { QueueModel } from './model';
import { ROW, Row, rowId } from './row';
import { type ISelection, NOTHING, only, stretched, toggled } from './selection';
import { TableHead } from './tablehead';
import { CommandIDs, type ITools } from './tools';

/** Rows drawn above and below what is in view. */
const MORE = 4;

interface IProps {
  readonly model: QueueModel;
  readonly selection: ISelection;
  readonly select: React.Dispatch<React.SetStateAction<ISelection>>;
  readonly tools: ITools;
}

/** The jobs that are chosen, as far as they are still here. */
export function chosenJobs(model: QueueModel, selection: ISelection): readonly JobModel[] {
  return [...selection.ids].flatMap(id => model.at(model.indexOf(id)) ?? []);
}

/** The jobs, of which only those in view are drawn. */
export function JobTable(props: IProps): React.ReactElement {
  const { model, select, selection, tools } = props;
  const { trans } = tools;
  const grid = React.useRef<HTMLDivElement>(null);
  const [first, last] = useWindow(grid, model);
  useAnchor(grid, model);
  React.useEffect(() => model.look(first, last), [model, first, last]);

  const open = (job: JobModel) => void tools.commands.execute(CommandIDs.openJob, { id: job.id });
  const click = React.useCallback(
    (job: JobModel, event: React.MouseEvent) => {
      const more = event.ctrlKey || event.metaKey;
      if (event.shiftKey) {
        getSelection()?.removeAllRanges(); // jobs are chosen, not the text between the clicks
      }
      select(old => {
        return event.shiftKey
          ? stretched(old, job.id, model)
          : more
            ? toggled(old, job.id)
            : only(job.id);
      });
    },
    [model, select]
  );
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.target instanceof HTMLElement && event.target.closest('[role="columnheader"]')) {
      return; // the head's buttons have keys of their own
    }
    const now = selection.current === null ? -1 : model.indexOf(selection.current);
    const job = model.at(now);
    const next = target(event.key, now, model.length, last - first - 2 * MORE);
    const there = next === null ? undefined : model.at(next);
    if (next !== null && there) {
      select(event.shiftKey ? stretched(selection, there.id, model) : only(there.id));
      show(grid.current, next);
    } else if (event.key === 'Enter' && job) {
      open(job);
    } else if (event.key === ' ' && job) {
      select(toggled(selection, job.id));
    } else if (event.key === 'Escape') {
      select(NOTHING);
    } else if (event.key === 'Delete') {
      void endOrDelete(tools, chosenJobs(model, selection));
    } else {
      return;
    }
    event.preventDefault();
  };

  const { current } = selection;
  let active: string | undefined;
  const rows: React.ReactElement[] = [];
  const slots = last - first + 1;
  for (let index = first; index <= Math.min(last, model.length - 1); index += 1) {
    const job = model.at(index);
    if (job) {
      active = job.id === current ? rowId(current) : active;
      const selected = selection.ids.has(job.id);
      const own = { index, job, model, open, click, tools, selected };
      // A row that leaves the window is the one that comes in at its other end.
      rows.push(<Row key={index % slots} {...own} current={job.id === current} />);
    }
  }
  return (
    <div className="jp-QPI-Table" data-mine={model.filters.mine}>
      <div
        ref={grid}
        className="jp-QPI-TableScroll"
        role="grid"
        aria-label={trans.__('Jobs')}
        aria-multiselectable="true"
        aria-rowcount={model.complete ? model.length + 1 : -1}
        aria-busy={model.loading}
        aria-activedescendant={active}
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <TableHead model={model} tools={tools} onSort={() => grid.current?.scrollTo({ top: 0 })} />
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

function Empty(props: { model: QueueModel; tools: ITools }): React.ReactElement {
  const { model } = props;
  const { trans } = props.tools;
  const { mine } = model.filters;
  if (isNarrow(model.filters)) {
    return (
      <div className="jp-QPI-QueueEmpty">
        <p>{trans.__('No matching jobs.')}</p>
        <button
          type="button"
          className="jp-QPI-Action jp-mod-styled"
          onClick={() => void model.filter({ ...EVERYTHING_OF_MINE, mine })}
        >
          {trans.__('Clear filters')}
        </button>
      </div>
    );
  }
  return (
    <p className="jp-QPI-QueueEmpty">
      {mine
        ? trans.__('No jobs yet. Submit one from a notebook with %1.', '%%qpi_submit')
        : trans.__('No jobs yet.')}
    </p>
  );
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
