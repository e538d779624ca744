import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { PreviewedPulse } from '../wire';
import { axisOf } from './axes';
import { type ITimeline, moved, pulsesIn, type Span, time, zoomed } from './timeline';

const [LEFT, WIDE, ROW, BELOW] = [96, 600, 26, 40];
const HEIGHTS: Readonly<Record<PreviewedPulse['kind'], number>> = {
  drive: 18,
  flux: 18,
  readout: 10,
  acquisition: 20,
  phase: 20,
  other: 14
};
/** Pulses that the table has. */
const LISTED = 200;
/** A box with less room than this has no word in it. */
const LETTER = 8;

/** What the ports of a QPU play, as rows over time; one looks closer with the wheel, the keys or the buttons. */
export function Timeline(props: {
  timeline: ITimeline;
  trans: TranslationBundle;
}): React.ReactElement {
  const { timeline, trans } = props;
  const { rows, whole } = timeline;
  const [span, look] = React.useState<Span>(whole);
  React.useEffect(() => look(whole), [whole]);
  const tall = rows.length * ROW;
  const shown = pulsesIn(timeline, span);
  const nearer = () => look(zoomed(span, whole, 0.5));
  const farther = () => look(zoomed(span, whole, 2));
  const picture = useWheel((factor, around) => look(now => zoomed(now, whole, factor, around)));
  const keys: Readonly<Record<string, () => void>> = {
    '+': nearer,
    '=': nearer,
    '-': farther,
    '0': () => look(whole),
    ArrowLeft: () => look(moved(span, whole, -0.25)),
    ArrowRight: () => look(moved(span, whole, 0.25))
  };
  const x = (seconds: number) => LEFT + (WIDE * (seconds - span[0])) / (span[1] - span[0]);
  const across = axisOf(trans.__('Time (s)'), span, span);
  return (
    <figure className="jp-QPI-Timeline">
      <div className="jp-QPI-Buttons" role="toolbar" aria-label={trans.__('Zoom')}>
        <Button label={trans.__('Zoom in')} sign="+" act={nearer} />
        <Button label={trans.__('Zoom out')} sign="−" act={farther} />
        <Button label={trans.__('Earlier')} sign="←" act={() => look(moved(span, whole, -0.5))} />
        <Button label={trans.__('Later')} sign="→" act={() => look(moved(span, whole, 0.5))} />
        <Button label={trans.__('Show all')} act={() => look(whole)} />
        <span role="status">{trans.__('%1 to %2', time(span[0]), time(span[1]))}</span>
      </div>
      <section
        ref={picture}
        className="jp-QPI-TimelinePicture"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: so that its keys can be used
        tabIndex={0}
        aria-label={trans.__('Pulse timeline: + and − zoom, arrow keys move, 0 shows all')}
        onKeyDown={event => {
          const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
          if (act) {
            event.preventDefault();
            event.stopPropagation();
            act();
          }
        }}
      >
        <svg
          viewBox={`0 0 ${LEFT + WIDE + 16} ${tall + BELOW}`}
          width={LEFT + WIDE + 16}
          role="img"
          style={{ height: 'auto' }}
        >
          <title>
            {trans._n('%1 pulse', '%1 pulses', shown.length)} ·{' '}
            {trans._n('%1 port', '%1 ports', rows.length)}
          </title>
          {across.ticks.map(tick => (
            <g key={tick.at}>
              <line x1={x(tick.at)} x2={x(tick.at)} y2={tall} />
              <text x={x(tick.at)} y={tall + 14} textAnchor="middle">
                {tick.text}
              </text>
            </g>
          ))}
          <text x={LEFT + WIDE / 2} y={tall + 32} textAnchor="middle">
            {across.label}
          </text>
          {rows.map((row, n) => (
            <g key={row.port}>
              <text x={LEFT - 8} y={(n + 0.5) * ROW + 4} textAnchor="end">
                {row.port}
              </text>
              <line x1={LEFT} x2={LEFT + WIDE} y1={(n + 0.5) * ROW} y2={(n + 0.5) * ROW} />
            </g>
          ))}
          <svg x={LEFT} width={WIDE} height={tall} viewBox={`${LEFT} 0 ${WIDE} ${tall}`}>
            <title>{trans.__('Pulses')}</title>
            {shown.map((pulse, n) => (
              <Pulse key={String(n)} pulse={pulse} x={x} timeline={timeline} trans={trans} />
            ))}
          </svg>
        </svg>
      </section>
      <figcaption>
        <Legend timeline={timeline} trans={trans} /> {timeline.note}
        {timeline.total > timeline.pulses.length &&
          trans.__('The first %1 of %2 pulses are shown.', timeline.pulses.length, timeline.total)}
      </figcaption>
      <details>
        <summary>{trans.__('Pulses as a table')}</summary>
        <Listed pulses={shown} timeline={timeline} trans={trans} />
      </details>
    </figure>
  );
}

/** Zooms with the wheel, while the picture has the focus or with Ctrl: else the page scrolls. */
function useWheel(zoom: (factor: number, around: number) => void) {
  const picture = React.useRef<HTMLElement>(null);
  const latest = React.useRef(zoom);
  latest.current = zoom;
  React.useEffect(() => {
    const node = picture.current;
    const turned = (event: WheelEvent) => {
      if (event.ctrlKey || node === document.activeElement) {
        event.preventDefault();
        const { left, width } = (node as HTMLElement).getBoundingClientRect();
        const at = (event.clientX - left) * ((LEFT + WIDE + 16) / Math.max(1, width));
        const around = Math.min(1, Math.max(0, (at - LEFT) / WIDE));
        latest.current(event.deltaY < 0 ? 0.8 : 1.25, around);
      }
    };
    // React's own listeners cannot keep the page from scrolling.
    node?.addEventListener('wheel', turned, { passive: false });
    return () => node?.removeEventListener('wheel', turned);
  }, []);
  return picture;
}

function Button(props: { label: string; sign?: string; act: () => void }): React.ReactElement {
  const { act, label, sign } = props;
  return (
    <button
      type="button"
      className="jp-QPI-Action jp-mod-styled"
      aria-label={label}
      title={label}
      onClick={act}
    >
      {sign ?? label}
    </button>
  );
}

function Pulse(props: {
  pulse: PreviewedPulse;
  x: (seconds: number) => number;
  timeline: ITimeline;
  trans: TranslationBundle;
}): React.ReactElement {
  const { pulse, timeline, trans, x } = props;
  const [left, right] = [x(pulse.start_s), x(pulse.start_s + pulse.duration_s)];
  // What reaches beyond the picture is cut: far outside of it numbers lose their meaning.
  const begin = Math.max(left, LEFT - 10);
  const width = Math.max(1.5, Math.min(right, LEFT + WIDE + 10) - begin);
  const height = HEIGHTS[pulse.kind];
  const y = (pulse.row + 0.5) * ROW;
  const labelled = pulse.kind === 'drive' || pulse.kind === 'flux' || pulse.kind === 'other';
  return (
    <g data-kind={pulse.kind}>
      <title>{said(pulse, timeline, trans)}</title>
      <rect x={begin} y={y - height / 2} width={width} height={height} rx={2} />
      {labelled && width > LETTER * pulse.label.length && (
        <text x={begin + width / 2} y={y + 4} textAnchor="middle">
          {pulse.label}
        </text>
      )}
    </g>
  );
}

function degrees({ phase_deg }: PreviewedPulse): string {
  return `${Number(phase_deg.toPrecision(4))}°`.replace('-', '−');
}

/** One pulse in a line. */
function said(pulse: PreviewedPulse, timeline: ITimeline, trans: TranslationBundle): string {
  const port = timeline.rows[pulse.row]?.port ?? '';
  const parts = [trans.__('%1 on %2, at %3', pulse.label, port, time(pulse.start_s))];
  if (pulse.kind === 'phase') {
    parts.push(trans.__('phase %1', degrees(pulse)));
  } else {
    parts.push(trans.__('for %1', time(pulse.duration_s)));
  }
  if (pulse.amplitude !== null) {
    parts.push(trans.__('amplitude %1', Number(pulse.amplitude.toPrecision(4))));
  }
  return parts.join(', ');
}

function Legend(props: { timeline: ITimeline; trans: TranslationBundle }): React.ReactElement {
  const { timeline, trans } = props;
  const names: readonly (readonly [PreviewedPulse['kind'], string])[] = [
    ['drive', trans.__('Drive')],
    ['flux', trans.__('Flux')],
    ['readout', trans.__('Readout')],
    ['acquisition', trans.__('Acquisition')],
    ['phase', trans.__('Phase of the clock')],
    ['other', trans.__('Other')]
  ];
  const used = new Set(timeline.pulses.map(pulse => pulse.kind));
  return (
    <>
      {names
        .filter(([kind]) => used.has(kind))
        .map(([kind, name]) => (
          <span key={kind} className="jp-QPI-TimelineKey">
            <svg width="16" height="10" aria-hidden="true" data-kind={kind}>
              <rect x="1" y="1" width="12" height="8" />
            </svg>{' '}
            {name}
          </span>
        ))}
    </>
  );
}

function Listed(props: {
  pulses: readonly PreviewedPulse[];
  timeline: ITimeline;
  trans: TranslationBundle;
}): React.ReactElement {
  const { pulses, timeline, trans } = props;
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">{trans.__('Start')}</th>
            <th scope="col">{trans.__('Length or phase')}</th>
            <th scope="col">{trans.__('Port')}</th>
            <th scope="col">{trans.__('Operation')}</th>
            <th scope="col">{trans.__('Amplitude')}</th>
          </tr>
        </thead>
        <tbody>
          {pulses.slice(0, LISTED).map((pulse, n) => (
            <tr key={String(n)}>
              <td>{time(pulse.start_s)}</td>
              <td>{pulse.kind === 'phase' ? degrees(pulse) : time(pulse.duration_s)}</td>
              <td>{timeline.rows[pulse.row]?.port}</td>
              <td>{pulse.label}</td>
              <td>{pulse.amplitude ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {pulses.length > LISTED && (
        <p>{trans.__('The first %1 of %2. Zoom in for the others.', LISTED, pulses.length)}</p>
      )}
    </>
  );
}
