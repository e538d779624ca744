import type * as React from 'react';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, offerUndo, Word, when } from '../board/cells';
import type { IField } from '../board/form';
import { whole } from '../board/listing';
import { length, local, type Values } from '../board/values';
import { useLab } from '../hooks';
import { at, send } from '../send';
import type {
  BookingRuleIn,
  BookingRuleList,
  BookingRuleModel,
  NoticeIn,
  NoticeList,
  NoticeModel
} from '../wire';
import { type ISectionProps, useSectionRows } from './section';
import {
  LENGTHS,
  lengthWords,
  noticeOf,
  quietLines,
  ruleOf,
  ruleValues,
  touchedPart
} from './values';

export function Rules(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'rules', () =>
    whole(async () => (await request<BookingRuleList>('booking-rules')).rules)
  );
  const qpus = useLab(manager, state => state.qpus);
  const fields = ruleFields(props);
  const scope: readonly IField[] = [
    {
      name: 'qpu',
      label: trans.__('QPU'),
      kind: 'choice',
      choices: [
        { value: '', label: trans.__('every QPU') },
        ...qpus.map(({ name }) => ({ value: name, label: name }))
      ]
    },
    { name: 'group', label: trans.__('Group'), hint: trans.__('Leave empty for everyone.') }
  ];
  const put = (body: BookingRuleIn) => send(request, 'PUT', 'booking-rules', body);
  const actions = (rule: BookingRuleModel): readonly IAction[] => [
    {
      id: 'edit',
      label: trans.__('Edit'),
      ask: { fields, initial: ruleValues(rule.rule), submit: trans.__('Save') },
      run: values => put(ruleOf({ ...values, qpu: rule.qpu ?? '', group: rule.group ?? '' }))
    },
    {
      id: 'delete',
      label: trans.__('Delete'),
      run: async () => {
        await send(request, 'DELETE', at('booking-rules', rule.id));
        offerUndo(
          trans,
          trans.__('The rule for %1 was deleted.', scopeOf(rule, props)),
          listing,
          () => put({ rule: rule.rule, qpu: rule.qpu, group: rule.group })
        );
      }
    }
  ];
  return (
    <Board
      title={trans.__('Booking rules')}
      intro={trans.__(
        'Limits for bookings. A rule for a QPU or a group takes precedence over a general one.'
      )}
      trans={trans}
      listing={listing}
      rowKey={rule => rule.id}
      rowName={rule => scopeOf(rule, props)}
      columns={[
        { head: trans.__('For'), cell: rule => <Named name={scopeOf(rule, props)} /> },
        { head: trans.__('Rule'), cell: rule => <Summary rule={rule} section={props} /> },
        {
          head: trans.__('Changed'),
          cell: rule => <Named name={rule.changed_by} detail={when(rule.changed_at)} />
        }
      ]}
      actions={actions}
      create={{
        id: 'add',
        label: trans.__('Add a rule'),
        ask: {
          fields: [...scope, ...fields],
          initial: ruleValues({}),
          submit: trans.__('Set')
        },
        run: values => put(ruleOf(values))
      }}
      empty={trans.__(
        'No booking rules. Limits of the configuration apply: max_booking_s, max_booking_ahead_s, max_bookings_ahead.'
      )}
    />
  );
}

function scopeOf(rule: BookingRuleModel, { trans }: ISectionProps): string {
  const qpu = rule.qpu ?? trans.__('every QPU');
  const group = rule.group ?? trans.__('everyone');
  return trans.__('%1, %2', qpu, group);
}

function ruleFields({ trans }: ISectionProps): readonly IField[] {
  const words = lengthWords(trans);
  return [
    ...LENGTHS.map(name => ({
      name,
      label: words[name],
      hint: trans.__('Leave empty for no limit.')
    })),
    { name: 'max_ahead', label: trans.__('Upcoming bookings per person') },
    { name: 'mode-priority', label: trans.__('Priority bookings'), kind: 'switch' },
    { name: 'mode-exclusive', label: trans.__('Exclusive bookings'), kind: 'switch' },
    { name: 'mode-maintenance', label: trans.__('Maintenance'), kind: 'switch' },
    {
      name: 'quiet',
      label: trans.__('Quiet hours'),
      kind: 'area',
      hint: trans.__(
        'One per line: 22:00-06:00, then optionally days (0 is Monday) and a time zone.'
      )
    }
  ];
}

function Summary(props: {
  readonly rule: BookingRuleModel;
  readonly section: ISectionProps;
}): React.ReactElement {
  const { rule } = props.rule;
  const { trans } = props.section;
  const words = lengthWords(trans);
  const lines = LENGTHS.flatMap(name => {
    const value = rule[name] ?? null;
    return value === null ? [] : [`${words[name]} ${length(value)}`];
  });
  if (rule.max_ahead !== null && rule.max_ahead !== undefined) {
    lines.push(
      trans._n('At most %1 upcoming booking', 'At most %1 upcoming bookings', rule.max_ahead)
    );
  }
  if (rule.modes) {
    lines.push(trans.__('Only %1', rule.modes.join(', ')));
  }
  if (rule.quiet?.length) {
    lines.push(trans.__('Quiet: %1', quietLines(rule.quiet).split('\n').join('; ')));
  }
  return <>{lines.join(' · ') || trans.__('no limit')}</>;
}

export function Notices(props: ISectionProps): React.ReactElement {
  const { manager, trans } = props;
  const { request } = manager;
  const listing = useSectionRows(manager, 'notices', () =>
    whole(async () => (await request<NoticeList>('notices?all=true')).notices)
  );
  const fields: readonly IField[] = [
    { name: 'title', label: trans.__('Title'), required: true, longest: 200 },
    { name: 'body', label: trans.__('Text'), kind: 'area', longest: 10_000 },
    { name: 'start_at', label: trans.__('From'), kind: 'moment', hint: trans.__('Default: now.') },
    {
      name: 'end_at',
      label: trans.__('Until'),
      kind: 'moment',
      hint: trans.__('Leave empty for no end.')
    },
    {
      name: 'people',
      label: trans.__('To people'),
      hint: trans.__('Comma-separated names. Without people and groups it is for everyone.')
    },
    { name: 'groups', label: trans.__('To groups') }
  ];
  const post = (body: NoticeIn) => send(request, 'POST', 'notices', body);
  const initial = (notice: NoticeModel): Values => ({
    title: notice.title,
    body: notice.body,
    start_at: local(notice.start_at),
    end_at: local(notice.end_at),
    people: notice.people.join(', '),
    groups: notice.groups.join(', ')
  });
  const actions = (notice: NoticeModel): readonly IAction[] => [
    {
      id: 'edit',
      label: trans.__('Edit'),
      ask: {
        text: trans.__('Those who dismissed it will not see it again.'),
        fields,
        initial: initial(notice),
        submit: trans.__('Save')
      },
      run: (values, touched) =>
        send(request, 'PATCH', at('notices', notice.id), touchedPart(noticeOf(values), touched))
    },
    {
      id: 'delete',
      label: trans.__('Delete'),
      run: async () => {
        await send(request, 'DELETE', at('notices', notice.id));
        const { title, body, people, groups, start_at, end_at } = notice;
        offerUndo(trans, trans.__('The notice “%1” was deleted.', title), listing, () =>
          post({ title, body, people, groups, start_at, end_at })
        );
      }
    }
  ];
  return (
    <Board
      title={trans.__('Notices')}
      intro={trans.__('Announcements, shown in everyone’s side panel until dismissed.')}
      trans={trans}
      listing={listing}
      rowKey={notice => notice.id}
      rowName={notice => notice.title}
      found={notice => `${notice.title} ${notice.body}`}
      columns={[
        {
          head: trans.__('Notice'),
          cell: notice => <Named name={notice.title} detail={notice.body} />
        },
        {
          head: trans.__('To'),
          cell: notice => [...notice.people, ...notice.groups].join(', ') || trans.__('everyone')
        },
        { head: trans.__('When'), cell: notice => <Window notice={notice} section={props} /> },
        {
          head: trans.__('By'),
          cell: notice => <Named name={notice.created_by} detail={when(notice.created_at)} />
        }
      ]}
      actions={actions}
      create={{
        id: 'add',
        label: trans.__('New notice'),
        ask: { fields, submit: trans.__('Broadcast') },
        run: values => post(noticeOf(values))
      }}
      empty={trans.__('No notices.')}
    />
  );
}

function Window(props: {
  readonly notice: NoticeModel;
  readonly section: ISectionProps;
}): React.ReactElement {
  const { notice } = props;
  const { manager, trans } = props.section;
  const now = manager.now();
  const over = notice.end_at !== null && Date.parse(notice.end_at) <= now;
  const ahead = notice.start_at !== null && Date.parse(notice.start_at) > now;
  const state = over ? trans.__('Ended') : ahead ? trans.__('Upcoming') : trans.__('Shown now');
  return (
    <>
      <Word tone={over ? 'offline' : ahead ? 'starting' : 'online'}>{state}</Word>
      {(notice.start_at !== null || notice.end_at !== null) && (
        <div className="jp-QPI-Detail">
          {when(notice.start_at)} – {when(notice.end_at)}
        </div>
      )}
    </>
  );
}
