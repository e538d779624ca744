import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useModel } from '../hooks';
import type { ILabManager, ILabState } from '../tokens';
import type { BookingModel } from '../wire';
import type { CalendarController } from './controller';
import { windowOf } from './days';
import { BookingDialog } from './dialog';
import type { IContext } from './entries';
import { FeedsDialog } from './feeds';
import { Grid } from './grid';
import { KeysDialog } from './help';
import { Button } from './modal';
import { type ICalendarState, overlaps } from './model';
import { Refused } from './refused';
import { SeriesDialog } from './seriesdialog';
import { Choices, Toolbar } from './toolbar';
import { tonesOf } from './words';

/** The names, as one value for as long as they stay the same. */
function useNames(names: readonly string[]): readonly string[] {
  const key = JSON.stringify(names);
  return React.useMemo(() => JSON.parse(key) as string[], [key]);
}

interface IProps {
  readonly lab: ILabManager;
  readonly controller: CalendarController;
  readonly trans: TranslationBundle;
}

/** The whole calendar: bars, grid and dialogs. */
export function Calendar({ lab, controller, trans }: IProps): React.ReactElement {
  const { model } = controller;
  const [known, state, calendar] = [useModel(lab), useModel(controller), useModel(model)];
  const qpus = useNames(known.qpus.map(qpu => qpu.name));
  const [dialog, setDialog] = React.useState<'feeds' | 'keys' | null>(null);
  const { view, day, zone, hidden, draft, question } = state;
  const { me } = known;

  const tones = React.useMemo(() => tonesOf(qpus), [qpus]);
  const context: IContext = React.useMemo(
    () => ({ model, tones, zone, trans }),
    [model, tones, zone, trans, me]
  );
  const page = React.useMemo(() => windowOf(view, day, zone), [view, day, zone]);
  React.useEffect(() => void model.show(page), [model, page]);
  const bookings = React.useMemo(
    () =>
      calendar.bookings.filter(booking => !hidden.includes(booking.qpu) && overlaps(booking, page)),
    [calendar.bookings, hidden, page]
  );
  const shown = React.useMemo(() => qpus.filter(name => !hidden.includes(name)), [qpus, hidden]);
  const close = () => setDialog(null);
  const onHelp = () => setDialog('keys');
  const common = { controller, state, trans, qpus };
  const bars = { ...common, shown, tones, onHelp, onFeeds: () => setDialog('feeds') };
  const quiet = draft === null && question === null;
  return (
    <>
      <Toolbar {...bars} />
      <Choices {...bars} />
      {calendar.problem && (
        <div role="alert" className="jp-QPI-Refused">
          <span className="jp-QPI-RefusedText">
            {trans.__('What is shown may be old.')} {calendar.problem}
          </span>
          <Button onClick={() => void model.refetch()}>{trans.__('Try again')}</Button>
        </div>
      )}
      {quiet && <Refused {...state} trans={trans} onDismiss={() => controller.dismiss()} />}
      <Note {...{ known, qpus, shown, calendar, bookings, trans }} />
      <Grid {...{ controller, state, bookings, context, shown, page, onHelp }} />
      <BookingDialog {...common} bookings={calendar.bookings} />
      <SeriesDialog {...common} />
      {dialog === 'feeds' && <FeedsDialog {...{ model, qpus, trans }} onClose={close} />}
      {dialog === 'keys' && <KeysDialog trans={trans} onClose={close} />}
    </>
  );
}

/** What to say where there is nothing to see. */
function Note(props: {
  known: ILabState;
  qpus: readonly string[];
  shown: readonly string[];
  calendar: ICalendarState;
  bookings: readonly BookingModel[];
  trans: TranslationBundle;
}): React.ReactElement {
  const { known, qpus, shown, calendar, bookings, trans } = props;
  let text = '';
  if (known.connection === 'connected' && qpus.length === 0) {
    text = trans.__('No QPUs to book yet.');
  } else if (qpus.length > 0 && shown.length === 0) {
    text = trans.__('Select a QPU above to see its bookings.');
  } else if (qpus.length > 0 && bookings.length === 0 && !calendar.loading && !calendar.problem) {
    text = trans.__('No bookings here. Drag over a time or double-click one to book it.');
  }
  return (
    <p role="status" className="jp-QPI-CalendarNote">
      {text}
    </p>
  );
}
