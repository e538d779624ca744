import type { TranslationBundle } from '@jupyterlab/translation';
import { caretLeftIcon, caretRightIcon, type LabIcon } from '@jupyterlab/ui-components';
import type * as React from 'react';
import type { CalendarController, IControllerState } from './controller';
import { pageTitle, type View } from './days';
import { Button } from './modal';
import { type IZone, zoneChoices } from './zones';

interface IProps {
  readonly controller: CalendarController;
  readonly state: IControllerState;
  readonly trans: TranslationBundle;
  readonly qpus: readonly string[];
  readonly shown: readonly string[];
  readonly tones: ReadonlyMap<string, number>;
  readonly onFeeds: () => void;
  readonly onHelp: () => void;
}

/** Where one is in time, and the shortcut to the next free hour. */
export function Toolbar(props: IProps): React.ReactElement {
  const { controller, state, trans, shown } = props;
  const views: readonly (readonly [View, string])[] = [
    ['week', trans.__('Week')],
    ['day', trans.__('Day')],
    ['agenda', trans.__('Agenda')]
  ];
  return (
    <div className="jp-QPI-Toolbar" role="toolbar" aria-label={trans.__('Calendar')}>
      <Button onClick={() => controller.goToday()}>{trans.__('Today')}</Button>
      <span className="jp-QPI-Arrows">
        <Arrow
          label={trans.__('Earlier')}
          Sign={caretLeftIcon}
          onClick={() => controller.turn(-1)}
        />
        <Arrow label={trans.__('Later')} Sign={caretRightIcon} onClick={() => controller.turn(1)} />
      </span>
      <h2 className="jp-QPI-CalendarTitle" aria-live="polite">
        {pageTitle(state.view, state.day)}
      </h2>
      <fieldset className="jp-QPI-Views" aria-label={trans.__('View')}>
        {views.map(([view, word]) => (
          <button
            key={view}
            type="button"
            className="jp-QPI-Button jp-mod-styled jp-mod-reject"
            aria-pressed={view === state.view}
            onClick={() => controller.setView(view)}
          >
            {word}
          </button>
        ))}
      </fieldset>
      <Button
        look="accept"
        disabled={shown.length === 0 || state.busy}
        onClick={() => void controller.bookNextHour(shown)}
      >
        {trans.__('Book next free hour')}
      </Button>
    </div>
  );
}

function Arrow(props: { label: string; Sign: LabIcon; onClick: () => void }): React.ReactElement {
  const { label, Sign, onClick } = props;
  return (
    <Button label={label} onClick={onClick}>
      <Sign.react tag="span" aria-hidden="true" />
    </Button>
  );
}

/** The clock that times are shown and typed by. */
export function ZoneChoice({
  controller,
  state,
  trans
}: Pick<IProps, 'controller' | 'state' | 'trans'>): React.ReactElement {
  const word = ({ kind, id }: IZone): string => {
    const words: Record<IZone['kind'], string> = {
      own: trans.__('My clock: %1', id),
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
      onChange={event => controller.setZone(event.target.value)}
    >
      {zoneChoices(controller.model.state.rules, state.zone).map(zone => (
        <option key={zone.id} value={zone.id}>
          {word(zone)}
        </option>
      ))}
    </select>
  );
}

/** What is shown, and by which clock. */
export function Choices(props: IProps): React.ReactElement {
  const { trans } = props;
  return (
    <div className="jp-QPI-Toolbar">
      <QpuFilter {...props} />
      <ZoneChoice {...props} />
      <Button onClick={props.onFeeds}>{trans.__('Subscribe…')}</Button>
      <Button label={trans.__('Keys')} onClick={props.onHelp}>
        ?
      </Button>
    </div>
  );
}

/** The QPUs with their colours: a legend, and what is shown. */
function QpuFilter(props: IProps): React.ReactElement {
  const { controller, state, trans, qpus, tones } = props;
  const toggle = (name: string) => {
    const { hidden } = state;
    controller.setHidden(
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
          <span className="jp-QPI-ChipName" title={name}>
            {name}
          </span>
        </label>
      ))}
      {qpus.length > 1 && (
        <Button onClick={() => controller.setHidden(state.hidden.length === 0 ? qpus : [])}>
          {state.hidden.length === 0 ? trans.__('None') : trans.__('All')}
        </Button>
      )}
    </fieldset>
  );
}
