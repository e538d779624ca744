import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';

import type { BookingModel } from '../wire';
import type { CalendarController, IControllerState } from './controller';
import { type IDraft, intervalOf, type Mode, type Repeat } from './draft';
import { Button, Modal } from './modal';
import { Refused } from './refused';
import { seriesChoices } from './seriesdialog';
import { ZoneChoice } from './toolbar';
import { bookingText, labelsOf, lengthText, modeWord } from './words';
import { timesShown } from './zones';

interface IProps {
  readonly controller: CalendarController;
  readonly state: IControllerState;
  readonly qpus: readonly string[];
  /** What is booked as it is known now. */
  readonly bookings: readonly BookingModel[];
  readonly trans: TranslationBundle;
}

/** Books, edits or shows one booking; closed while there is no draft. */
export function BookingDialog(props: IProps): React.ReactElement | null {
  const { controller, state, trans } = props;
  const { draft } = state;
  if (draft === null) {
    return null;
  }
  const { booking } = draft;
  const label = booking === null ? trans.__('Book a QPU') : trans.__('Booking');
  return (
    <Modal label={label} onClose={() => controller.dismiss()}>
      {booking !== null && !controller.model.editable(booking) ? (
        <>
          <p>{bookingText(booking, controller.model.me, state.zone, trans)}</p>
          <div className="jp-QPI-ModalButtons">
            <Button onClick={() => controller.dismiss()}>{trans.__('Close')}</Button>
          </div>
        </>
      ) : (
        <BookingForm {...props} draft={draft} />
      )}
    </Modal>
  );
}

function BookingForm(props: IProps & { draft: IDraft }): React.ReactElement {
  const { controller, state, trans, draft } = props;
  const { booking } = draft;
  return (
    <form
      className="jp-QPI-Form"
      onSubmit={event => {
        event.preventDefault();
        void controller.save();
      }}
    >
      <QpuField {...props} />
      <Field label={labelsOf(trans).start_at}>
        <TimeInput value={draft.start} onChange={start => controller.edit({ start })} />
      </Field>
      <Field label={labelsOf(trans).end_at}>
        <TimeInput value={draft.end} onChange={end => controller.edit({ end })} />
      </Field>
      <div className="jp-QPI-FieldRow">
        <Field label={labelsOf(trans).timezone}>
          <ZoneChoice {...props} />
        </Field>
        <Length {...props} />
      </div>
      <Field label={labelsOf(trans).title}>
        <input
          className="jp-mod-styled"
          maxLength={200}
          value={draft.title}
          onChange={event => controller.edit({ title: event.target.value })}
        />
      </Field>
      <ModeField {...props} />
      <Field label={labelsOf(trans).invited}>
        <input
          className="jp-mod-styled"
          placeholder={trans.__('comma-separated names')}
          value={draft.invited}
          onChange={event => controller.edit({ invited: event.target.value })}
        />
      </Field>
      {booking === null && <RepeatField {...props} />}
      {booking !== null && booking.series_id !== null && (
        <Field label={trans.__('Change')}>
          <Choice
            value={draft.series}
            choices={seriesChoices(trans)}
            onChange={series => controller.edit({ series })}
          />
        </Field>
      )}
      <Overtaken {...props} />
      <Refused refusal={state.refusal} zone={state.zone} trans={trans} />
      <div className="jp-QPI-ModalButtons">
        {booking !== null && <Endings controller={controller} booking={booking} trans={trans} />}
        <Button onClick={() => controller.dismiss()}>{trans.__('Cancel')}</Button>
        <Button look="accept" type="submit" disabled={state.busy}>
          {booking === null ? trans.__('Book') : trans.__('Save')}
        </Button>
      </div>
    </form>
  );
}

/** How long the booking is, and what to know where a clock is put back or forward. */
function Length({ state, draft, trans }: IProps & { draft: IDraft }): React.ReactElement {
  const { zone } = state;
  const interval = intervalOf(draft, zone);
  if (interval === null) {
    return <output className="jp-QPI-Detail" />;
  }
  const twice = [draft.start, draft.end].find(wall => timesShown(wall, zone) === 2);
  const never = [draft.start, draft.end].find(wall => timesShown(wall, zone) === 0);
  const clock = (wall: string) => wall.slice(11);
  const said = [
    lengthText(interval, trans),
    twice && trans.__('%1 occurs twice that day (clock change): the first is used.', clock(twice)),
    never &&
      trans.__('%1 does not exist that day (clock change): one hour later is used.', clock(never))
  ];
  return <output className="jp-QPI-Detail">{said.filter(Boolean).join(' ')}</output>;
}

/** Says that somebody else, or another tab, was faster; what was typed stays until one asks for the new state. */
function Overtaken(props: IProps & { draft: IDraft }): React.ReactElement | null {
  const { controller, state, bookings, draft, trans } = props;
  const { booking } = draft;
  const now = bookings.find(other => other.id === booking?.id);
  if (booking === null || state.busy || (now !== undefined && now.version <= booking.version)) {
    return null;
  }
  return (
    <div role="alert" className="jp-QPI-Refused">
      <span className="jp-QPI-RefusedText">
        {now === undefined
          ? trans.__('This booking was deleted meanwhile, or moved to another time.')
          : trans.__('This booking was changed elsewhere meanwhile.')}
      </span>
      {now !== undefined && (
        <Button onClick={() => controller.open(now)}>{trans.__('Show current booking')}</Button>
      )}
    </div>
  );
}

/** A label over its field. */
function Field(props: { label: string; children: React.ReactNode }): React.ReactElement {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label className="jp-QPI-Field">
      <span>{props.label}</span>
      {props.children}
    </label>
  );
}

function TimeInput(props: {
  value: string;
  onChange: (value: string) => void;
}): React.ReactElement {
  return (
    <input
      type="datetime-local"
      className="jp-mod-styled"
      required
      value={props.value}
      onChange={event => props.onChange(event.target.value)}
    />
  );
}

function Choice<T extends string>(props: {
  value: T;
  choices: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
  disabled?: boolean;
}): React.ReactElement {
  return (
    <select
      className="jp-mod-styled"
      value={props.value}
      disabled={props.disabled}
      onChange={event => {
        const found = props.choices.find(([value]) => value === event.target.value);
        if (found) {
          props.onChange(found[0]);
        }
      }}
    >
      {props.choices.map(([value, word]) => (
        <option key={value} value={value}>
          {word}
        </option>
      ))}
    </select>
  );
}

function QpuField({
  controller,
  draft,
  qpus,
  trans
}: IProps & { draft: IDraft }): React.ReactElement {
  return (
    <Field label={labelsOf(trans).qpu}>
      <Choice
        value={draft.qpu}
        choices={qpus.map(name => [name, name] as const)}
        disabled={draft.booking !== null}
        onChange={qpu => controller.edit({ qpu })}
      />
    </Field>
  );
}

function ModeField({ controller, draft, trans }: IProps & { draft: IDraft }): React.ReactElement {
  const modes: Mode[] = ['priority', 'exclusive'];
  if (controller.model.manages || draft.mode === 'maintenance') {
    modes.push('maintenance');
  }
  const hints: Record<Mode, string> = {
    priority: trans.__("Others' short jobs run while you are idle."),
    exclusive: trans.__('Nobody else can run jobs.'),
    maintenance: trans.__('No jobs run.')
  };
  return (
    <Field label={labelsOf(trans).mode}>
      <Choice
        value={draft.mode}
        choices={modes.map(mode => [mode, modeWord(mode, trans)] as const)}
        onChange={mode => controller.edit({ mode })}
      />
      <span className="jp-QPI-Detail">{hints[draft.mode]}</span>
    </Field>
  );
}

function RepeatField({ controller, draft, trans }: IProps & { draft: IDraft }): React.ReactElement {
  const choices: readonly (readonly [Repeat, string])[] = [
    ['never', trans.__('never')],
    ['daily', trans.__('every day')],
    ['weekdays', trans.__('Monday to Friday')],
    ['weekly', trans.__('every week')]
  ];
  return (
    <div className="jp-QPI-FieldRow">
      <Field label={labelsOf(trans).rrule}>
        <Choice
          value={draft.repeat}
          choices={choices}
          onChange={repeat => controller.edit({ repeat })}
        />
      </Field>
      {draft.repeat !== 'never' && (
        <Field label={trans.__('Number of bookings')}>
          <input
            type="number"
            className="jp-mod-styled"
            min={2}
            max={400}
            value={draft.times}
            onChange={event => controller.edit({ times: event.target.valueAsNumber || 2 })}
          />
        </Field>
      )}
    </div>
  );
}

/** Giving the rest of a booking back once it has begun; deleting it before. */
function Endings(props: {
  controller: CalendarController;
  booking: BookingModel;
  trans: TranslationBundle;
}): React.ReactElement {
  const { controller, booking, trans } = props;
  const now = controller.model.now();
  const running = Date.parse(booking.start_at) <= now && now < Date.parse(booking.end_at);
  return (
    <span className="jp-QPI-Endings">
      {running && (
        <Button look="warn" onClick={() => void controller.release(booking)}>
          {trans.__('Release now')}
        </Button>
      )}
      {(!running || controller.model.manages) && (
        <Button look="warn" onClick={() => void controller.remove(booking)}>
          {trans.__('Delete')}
        </Button>
      )}
    </span>
  );
}
