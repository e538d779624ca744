import * as React from 'react';
import { span } from '../prospects';
import { Table } from '../queue/facts';
import type { ITools } from '../queue/tools';
import { moment } from '../queue/words';
import type { AttemptModel, FragmentRun, ReservationModel } from '../wire';
import { type IBar, type IRow, timesOf } from './drawn';
import { figure, outcomeWord, reservationWord } from './words';

const [LEFT, WIDE, ROW, BELOW] = [96, 600, 46, 40];
const [PLACE, ATTEMPT] = [10, 18];
/** What has not ended grows so often (ms). */
const EVERY = 1000;

interface IProps {
  readonly runs: readonly FragmentRun[];
  readonly color: (qpu: string) => number;
  readonly tools: ITools;
}

/** When each fragment had which place, and when its drivers had it: as a picture, and as a table. */
export function Times({ runs, color, tools }: IProps): React.ReactElement {
  const { trans } = tools;
  const times = timesOf(runs, tools.manager.now());
  useTicks(times?.going ?? false);
  if (times === null) {
    return <p className="jp-QPI-Detail">{trans.__('No places reserved yet.')}</p>;
  }
  const { rows, whole } = times;
  const x = (at: number) => LEFT + (WIDE * (at - whole[0])) / (whole[1] - whole[0]);
  const tall = rows.length * ROW;
  const length = (whole[1] - whole[0]) / 1000;
  return (
    <figure className="jp-QPI-PlanTimes">
      <svg viewBox={`0 0 ${LEFT + WIDE + 16} ${tall + BELOW}`} role="img">
        <title>{trans.__('Reservations and attempts over %1', span(length, trans))}</title>
        {[0, 0.25, 0.5, 0.75, 1].map(share => (
          <g key={share}>
            <line x1={LEFT + share * WIDE} x2={LEFT + share * WIDE} y2={tall} />
            <text x={LEFT + share * WIDE} y={tall + 14} textAnchor="middle">
              {span(share * length, trans)}
            </text>
          </g>
        ))}
        <text x={LEFT + WIDE / 2} y={tall + 32} textAnchor="middle">
          {trans.__('Time since %1', moment(new Date(whole[0]).toISOString(), tools.manager.now()))}
        </text>
        {rows.map((row, n) => (
          <g key={row.run.index} transform={`translate(0 ${n * ROW})`}>
            <text x={LEFT - 8} y={ROW / 2 + 4} textAnchor="end">
              {trans.__('Fragment %1', row.run.index)}
            </text>
            {row.places.map(bar => (
              <Bar key={bar.key} bar={bar} x={x} last={whole[1]} y={5} tall={PLACE} color={color}>
                {placeWords(bar, bar.of as ReservationModel, tools)}
              </Bar>
            ))}
            {row.attempts.map(bar => (
              <Bar
                key={bar.key}
                bar={bar}
                x={x}
                last={whole[1]}
                y={20}
                tall={ATTEMPT}
                color={color}
              >
                {attemptWords(bar, bar.of as AttemptModel, tools)}
              </Bar>
            ))}
          </g>
        ))}
      </svg>
      <figcaption>
        {trans.__('Thin: a place reserved on a QPU. Thick: an attempt by its driver.')}
      </figcaption>
      <details>
        <summary>{trans.__('Reservations and attempts as a table')}</summary>
        <Listed rows={rows} tools={tools} />
      </details>
    </figure>
  );
}

/** Draw again from time to time, as long as something goes on. */
function useTicks(going: boolean): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    const timer = going ? setInterval(draw, EVERY) : undefined;
    return () => clearInterval(timer);
  }, [going]);
}

function Bar(props: {
  bar: IBar;
  x: (at: number) => number;
  last: number;
  y: number;
  tall: number;
  color: (qpu: string) => number;
  children: string;
}): React.ReactElement {
  const { bar, children, color, last, tall, x, y } = props;
  const [from, to] = [x(bar.start), x(bar.end ?? last)];
  const width = Math.max(3, to - from);
  const state = 'state' in bar.of ? bar.of.state : bar.of.outcome || 'going';
  return (
    <g data-qpu={color(bar.qpu)} data-state={state}>
      <title>{children}</title>
      <rect x={from} y={y} width={width} height={tall} rx={2} />
      {tall === ATTEMPT && width > 8 * bar.qpu.length && (
        <text x={from + width / 2} y={y + 13} textAnchor="middle">
          {bar.qpu}
        </text>
      )}
    </g>
  );
}

function placeWords(bar: IBar, of: ReservationModel, { trans }: ITools): string {
  const words = [
    trans.__('%1 on %2', reservationWord(of.state, trans), bar.qpu),
    of.esp === null ? '' : trans.__('success probability %1', figure(of.esp)),
    of.reason
  ];
  return words.filter(Boolean).join(', ');
}

function attemptWords(bar: IBar, of: AttemptModel, { trans }: ITools): string {
  const words = [
    trans.__('Attempt %1 on %2', of.attempt, bar.qpu),
    outcomeWord(of.outcome, trans),
    of.busy_s === null ? '' : trans.__('ran %1', span(of.busy_s, trans))
  ];
  return words.filter(Boolean).join(', ');
}

function Listed(props: { rows: readonly IRow[]; tools: ITools }): React.ReactElement {
  const { rows, tools } = props;
  const { trans } = tools;
  const now = tools.manager.now();
  const lines = rows
    .flatMap(({ attempts, places, run }) => [
      ...places.map(bar => ({
        bar,
        run,
        words: placeWords(bar, bar.of as ReservationModel, tools)
      })),
      ...attempts.map(bar => ({
        bar,
        run,
        words: attemptWords(bar, bar.of as AttemptModel, tools)
      }))
    ])
    .sort((a, b) => a.bar.start - b.bar.start);
  const when = (at: number | null) => (at === null ? '' : moment(new Date(at).toISOString(), now));
  return (
    <Table
      heads={[trans.__('Fragment'), trans.__('Start'), trans.__('End'), trans.__('What happened')]}
    >
      {lines.map(({ bar, run, words }) => [run.index, when(bar.start), when(bar.end), words])}
    </Table>
  );
}
