import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';
import { useModel } from '../hooks';
import { quantity } from '../units';
import type { ChannelModel } from '../wire';
import { Chart } from './chart';
import { moment } from './tables';
import { RANGES, type Range, type Telemetry, unitsOf } from './telemetry';

interface IProps {
  readonly telemetry: Telemetry;
  readonly trans: TranslationBundle;
}

/** How many jobs wait and run, and how much of the QPU is taken. */
export function QueueSection({ telemetry, trans }: IProps): React.ReactElement {
  return (
    <section aria-label={trans.__('Queue and utilisation')}>
      <h2>{trans.__('Queue and utilisation')}</h2>
      <TimeChart
        telemetry={telemetry}
        trans={trans}
        label={trans.__('Queue and utilisation')}
        empty={trans.__('No readings in this time.')}
        stepped
      />
    </section>
  );
}

/** What the drivers and instruments measure. */
export function TelemetrySection(
  props: IProps & { readonly channels: readonly ChannelModel[] }
): React.ReactElement {
  const { telemetry, trans } = props;
  const { chosen } = useModel(telemetry);
  const measured = props.channels.filter(
    channel => !channel.calibration && !channel.name.startsWith('lab/')
  );
  return (
    <section aria-label={trans.__('Telemetry')}>
      <h2>{trans.__('Telemetry')}</h2>
      {measured.length === 0 ? (
        <p className="jp-QPI-Empty">{trans.__('No readings yet.')}</p>
      ) : (
        <>
          <Picker telemetry={telemetry} channels={measured} trans={trans} />
          <TimeChart
            telemetry={telemetry}
            trans={trans}
            label={trans.__('Telemetry')}
            empty={
              chosen.length
                ? trans.__('No readings in this time.')
                : trans.__('Select a channel above.')
            }
          />
        </>
      )}
    </section>
  );
}

function Picker(
  props: IProps & { readonly channels: readonly ChannelModel[] }
): React.ReactElement {
  const { telemetry, channels, trans } = props;
  const { chosen } = useModel(telemetry);
  const units = unitsOf(channels.filter(({ name }) => chosen.includes(name)));
  const toggle = (name: string, on: boolean): void => {
    telemetry.choose(on ? [...chosen, name] : chosen.filter(other => other !== name));
  };
  return (
    <fieldset className="jp-QPI-Channels">
      <legend>{trans.__('Channels (two units at a time)')}</legend>
      {channels.map(({ name, unit, value }) => {
        const on = chosen.includes(name);
        const third = !on && units.length >= 2 && !units.includes(unit);
        return (
          <label
            key={name}
            title={third ? trans.__('Only two units fit. Remove a channel first.') : ''}
          >
            <input
              type="checkbox"
              checked={on}
              disabled={third}
              onChange={event => toggle(name, event.target.checked)}
            />
            {name} <span className="jp-QPI-Detail">{quantity(value, unit)}</span>
          </label>
        );
      })}
    </fieldset>
  );
}

function TimeChart(
  props: IProps & { readonly label: string; readonly empty: string; readonly stepped?: boolean }
): React.ReactElement {
  const { telemetry, trans } = props;
  const state = useModel(telemetry);
  const filled = state.series.some(series => series.points.length > 0);
  return (
    <>
      <Times telemetry={telemetry} label={props.label} trans={trans} />
      {state.problem !== null && (
        <p className="jp-QPI-QpuNote" role="status">
          {state.problem}
        </p>
      )}
      <div className="jp-QPI-ChartFrame">
        {!filled && <p className="jp-QPI-Empty">{props.empty}</p>}
        {state.series.length > 0 && (
          <Chart
            series={state.series}
            span={state.span}
            label={props.label}
            onZoom={span => telemetry.zoom(span)}
            stepped={props.stepped ?? false}
            trans={trans}
          />
        )}
      </div>
    </>
  );
}

/** How far back, and how close. */
function Times(props: IProps & { readonly label: string }): React.ReactElement {
  const { telemetry, trans } = props;
  const { range, zoom } = useModel(telemetry);
  const words: Record<Range, string> = {
    '15m': trans.__('15 min'),
    '1h': trans.__('1 h'),
    '6h': trans.__('6 h'),
    '24h': trans.__('24 h'),
    '7d': trans.__('7 d')
  };
  return (
    <div
      className="jp-QPI-Toolbar"
      role="toolbar"
      aria-label={trans.__('Time range: %1', props.label)}
    >
      {(Object.keys(RANGES) as Range[]).map(one => (
        <button
          key={one}
          type="button"
          className="jp-QPI-Button"
          aria-pressed={zoom === null && one === range}
          onClick={() => telemetry.setRange(one)}
        >
          {words[one]}
        </button>
      ))}
      <button
        type="button"
        className="jp-QPI-Button"
        aria-label={trans.__('Zoom in')}
        onClick={() => telemetry.zoomBy(0.5)}
      >
        +
      </button>
      <button
        type="button"
        className="jp-QPI-Button"
        aria-label={trans.__('Zoom out')}
        onClick={() => telemetry.zoomBy(2)}
      >
        −
      </button>
      <span className="jp-QPI-Detail">
        {zoom === null
          ? trans.__('live; drag to zoom')
          : trans.__('%1 to %2; double-click to follow again', moment(zoom[0]), moment(zoom[1]))}
      </span>
      {zoom !== null && (
        <button type="button" className="jp-QPI-Button" onClick={() => telemetry.zoom(null)}>
          {trans.__('Jump to latest')}
        </button>
      )}
    </div>
  );
}
