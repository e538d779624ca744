import '../../style/calendar.css';

import type { CalendarRef } from '@fullcalendar/react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import { handFocus, keepFocus } from '../focus';
import type { ILabManager } from '../tokens';
import { CalendarDesk } from './desk';
import { BookingDialog, SeriesDialog } from './dialog';
import type { IContext } from './entries';
import { FeedsDialog } from './feeds';
import { Grid, type ViewType } from './grid';
import { Button } from './modal';
import { CalendarModel } from './model';
import type { IInterval } from './refusal';
import { Refused } from './refused';
import { QpuFilter, Toolbar } from './toolbar';
import { tonesOf } from './words';

/** The content of the calendar tab. */
export class CalendarTab extends ReactWidget {
  constructor(
    private readonly _lab: ILabManager,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-QPI-Calendar');
    keepFocus(this.node, () => this._grid);
    this._model = new CalendarModel(_lab);
    this._desk = new CalendarDesk(this._model, _trans);
    void this._model.introduce();
  }

  override dispose(): void {
    this._model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    void handFocus(this, () => this._grid);
  }

  protected override render(): React.ReactElement {
    return <Calendar lab={this._lab} desk={this._desk} trans={this._trans} />;
  }

  private get _grid(): HTMLElement | null {
    return this.node.querySelector('.jp-QPI-Grid');
  }

  private readonly _model: CalendarModel;
  private readonly _desk: CalendarDesk;
}

/** The present state of something that tells when it has changed. */
function useLive<T>(owner: { readonly state: T; readonly changed: ISignal<unknown, T> }): T {
  const subscribe = React.useCallback(
    (tell: () => void) => {
      owner.changed.connect(tell);
      return () => {
        owner.changed.disconnect(tell);
      };
    },
    [owner]
  );
  return React.useSyncExternalStore(subscribe, () => owner.state);
}

/** The names, as one value for as long as they stay the same. */
function useNames(names: readonly string[]): readonly string[] {
  const key = JSON.stringify(names);
  return React.useMemo(() => JSON.parse(key) as string[], [key]);
}

interface IProps {
  readonly lab: ILabManager;
  readonly desk: CalendarDesk;
  readonly trans: TranslationBundle;
}

function Calendar({ lab, desk, trans }: IProps): React.ReactElement {
  const { model } = desk;
  const [known, state, calendar] = [useLive(lab), useLive(desk), useLive(model)];
  const qpus = useNames(known.qpus.map(qpu => qpu.name));
  const grid = React.useRef<CalendarRef>(null);
  const [view, setView] = React.useState<ViewType>('timeGridWeek');
  const [title, setTitle] = React.useState('');
  const [subscribing, setSubscribing] = React.useState(false);
  const { zone, hidden, draft, doomed } = state;
  const { me } = calendar;

  const tones = React.useMemo(() => tonesOf(qpus), [qpus]);
  const context: IContext = React.useMemo(
    () => ({ model, tones, zone, trans }),
    [model, tones, zone, trans, me]
  );
  const bookings = React.useMemo(
    () => calendar.bookings.filter(booking => !hidden.includes(booking.qpu)),
    [calendar.bookings, hidden]
  );
  const shown = qpus.filter(name => !hidden.includes(name));
  const api = () => grid.current?.getApi();
  const onDates = React.useCallback(
    (window: IInterval, name: string) => {
      setTitle(name);
      void model.show(window);
    },
    [model]
  );
  const onDay = React.useCallback((moment: string) => {
    grid.current?.getApi().gotoDate(moment);
    setView('timeGridDay');
  }, []);
  const common = { desk, state, trans, qpus };
  const quiet = draft === null && doomed === null;
  return (
    <>
      <Toolbar
        {...{ ...common, title, view, shown, api }}
        onView={setView}
        onFeeds={() => setSubscribing(true)}
      />
      <QpuFilter {...common} tones={tones} />
      {calendar.problem && (
        <div role="alert" className="jp-QPI-Refused">
          <span className="jp-QPI-RefusedText">
            {trans.__('What is shown may be old.')} {calendar.problem}
          </span>
          <Button onClick={() => void model.refetch()}>{trans.__('Try again')}</Button>
        </div>
      )}
      {quiet && <Refused {...state} trans={trans} onDismiss={() => desk.dismiss()} />}
      {known.connection === 'connected' && qpus.length === 0 && (
        <p className="jp-QPI-Empty">
          {trans.__('No QPU is registered yet: there is nothing to book.')}
        </p>
      )}
      <Grid
        {...{ desk, state, bookings, context, view, onDates, onDay }}
        qpu={shown[0] ?? null}
        calendar={grid}
      />
      <BookingDialog {...common} />
      <SeriesDialog {...common} />
      {subscribing && (
        <FeedsDialog {...{ model, qpus, trans }} onClose={() => setSubscribing(false)} />
      )}
    </>
  );
}
