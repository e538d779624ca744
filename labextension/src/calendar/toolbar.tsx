import type { CalendarApi } from '@fullcalendar/react';
import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { CalendarDesk, IDeskState } from './desk';
import type { ViewType } from './grid';
import { Button } from './modal';
import { type IZone, zoneChoices } from './zones';

interface IProps {
  readonly desk: CalendarDesk;
  readonly state: IDeskState;
  readonly trans: TranslationBundle;
  /** What the visible window is called. */
  readonly title: string;
  readonly view: ViewType;
  readonly qpus: readonly string[];
  readonly shown: readonly string[];
  readonly api: () => CalendarApi | undefined;
  readonly onView: (view: ViewType) => void;
  readonly onFeeds: () => void;
}

/** Where one is in time, how time is shown, and the two shortcuts. */
export function Toolbar(props: IProps): React.ReactElement {
  const { desk, trans, api, shown } = props;
  const views: readonly (readonly [ViewType, string])[] = [
    ['timeGridWeek', trans.__('Week')],
    ['timeGridDay', trans.__('Day')],
    ['listWeek', trans.__('Agenda')]
  ];
  const bookNext = async () => {
    const booked = await desk.bookNextHour(shown);
    if (booked !== null) {
      api()?.gotoDate(booked.start_at);
    }
  };
  return (
    <div className="jp-QPI-Toolbar" role="toolbar" aria-label={trans.__('Calendar')}>
      <Button onClick={() => api()?.today()}>{trans.__('Today')}</Button>
      <Arrow label={trans.__('Earlier')} sign="‹" onClick={() => api()?.prev()} />
      <Arrow label={trans.__('Later')} sign="›" onClick={() => api()?.next()} />
      <h2 className="jp-QPI-CalendarTitle" aria-live="polite">
        {props.title}
      </h2>
      <fieldset className="jp-QPI-Views" aria-label={trans.__('View')}>
        {views.map(([view, word]) => (
          <button
            key={view}
            type="button"
            className="jp-QPI-Button jp-mod-styled jp-mod-reject"
            aria-pressed={view === props.view}
            onClick={() => props.onView(view)}
          >
            {word}
          </button>
        ))}
      </fieldset>
      <ZoneChoice {...props} />
      <Button look="accept" disabled={shown.length === 0} onClick={() => void bookNext()}>
        {trans.__('Book the next free hour')}
      </Button>
      <Button onClick={props.onFeeds}>{trans.__('Subscribe…')}</Button>
    </div>
  );
}

function Arrow(props: { label: string; sign: string; onClick: () => void }): React.ReactElement {
  return (
    <button
      type="button"
      className="jp-QPI-Button jp-mod-styled jp-mod-reject"
      aria-label={props.label}
      title={props.label}
      onClick={props.onClick}
    >
      {props.sign}
    </button>
  );
}

function ZoneChoice({ desk, state, trans }: IProps): React.ReactElement {
  const word = ({ kind, id }: IZone): string => {
    const words: Record<IZone['kind'], string> = {
      browser: trans.__('Browser: %1', id),
      utc: 'UTC',
      lab: trans.__('Lab: %1', id)
    };
    return words[kind];
  };
  return (
    <select
      className="jp-mod-styled jp-QPI-Zone"
      aria-label={trans.__('Time zone')}
      value={state.zone}
      onChange={event => desk.setZone(event.target.value)}
    >
      {zoneChoices(desk.model.state.rules).map(zone => (
        <option key={zone.id} value={zone.id}>
          {word(zone)}
        </option>
      ))}
    </select>
  );
}

/** The QPUs with their colours: a legend, and what is shown. */
export function QpuFilter(
  props: Pick<IProps, 'desk' | 'state' | 'trans' | 'qpus'> & {
    readonly tones: ReadonlyMap<string, number>;
  }
): React.ReactElement {
  const { desk, state, trans, qpus, tones } = props;
  const toggle = (name: string) => {
    const { hidden } = state;
    desk.setHidden(
      hidden.includes(name) ? hidden.filter(other => other !== name) : [...hidden, name]
    );
  };
  return (
    <fieldset className="jp-QPI-Legend" aria-label={trans.__('QPUs shown')}>
      {qpus.map(name => (
        <label key={name} className={`jp-QPI-Chip jp-QPI-Tone-${tones.get(name) ?? 0}`}>
          <input
            type="checkbox"
            checked={!state.hidden.includes(name)}
            onChange={() => toggle(name)}
          />
          <span className="jp-QPI-Swatch" aria-hidden="true" />
          <span className="jp-QPI-ChipName">{name}</span>
        </label>
      ))}
      {qpus.length > 1 && (
        <Button onClick={() => desk.setHidden(state.hidden.length === 0 ? qpus : [])}>
          {state.hidden.length === 0 ? trans.__('None') : trans.__('All')}
        </Button>
      )}
    </fieldset>
  );
}
