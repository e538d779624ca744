import { isOfJob, type JobEvent, newer, withEvent } from './jobs';
import { isRefusal, type LabRequest } from './request';
import type { ILabState } from './tokens';
import type {
  AccountModel,
  BookingList,
  JobModel,
  JobPage,
  LabEvent,
  Me,
  NoticeList,
  QpuList
} from './wire';

/** What is known of a lab that has not answered yet. */
export const UNASKED: ILabState = {
  connection: 'connecting',
  problem: null,
  lastSeen: null,
  me: null,
  account: null,
  qpus: [],
  jobs: [],
  bookings: [],
  myBookings: [],
  notices: []
};

/** What is fetched on its own. */
export type Topic = 'me' | 'account' | 'qpus' | 'jobs' | 'bookings' | 'notices';

export const TOPICS: readonly Topic[] = ['me', 'account', 'qpus', 'jobs', 'bookings', 'notices'];
/** Jobs that are kept: what the panel can be set to show, and a few that others may need. */
const JOBS = 50;
const BOOKINGS = 200;
const MY_BOOKINGS = 20;
/** How far ahead everybody's bookings are looked at (ms). */
const AHEAD = 7 * 86_400_000;

/** What an event may have changed in `state`. */
export function topicsOf(event: LabEvent, state: ILabState): readonly Topic[] {
  const waits = state.jobs.some(job => job.status === 'pending'); // others move it on
  switch (event.kind) {
    case 'job.progress':
      return []; // the event says it all
    case 'job.checked':
    case 'job.edited':
      return isMine(event, state) ? ['jobs'] : [];
    case 'job.submitted':
    case 'job.changed':
    case 'job.deleted': {
      const mine = isMine(event, state);
      const topics: Topic[] = mine || waits ? ['qpus', 'jobs'] : ['qpus'];
      return mine && event.data.ledger ? [...topics, 'account'] : topics;
    }
    case 'qpu.changed':
      return waits ? ['qpus', 'jobs'] : ['qpus'];
    case 'booking.changed':
    case 'session.changed':
      return waits ? ['bookings', 'qpus', 'jobs'] : ['bookings', 'qpus'];
    case 'balance.changed':
    case 'account.changed':
      return ['account'];
    case 'notice.changed':
      return ['notices'];
    case 'person.changed':
    case 'group.changed':
      return ['me', 'account'];
    default:
      return []; // what only some tab shows, or a newer lab tells
  }
}

function isMine(event: JobEvent, { me }: ILabState): boolean {
  return me === null || event.data.owner === me.user.name;
}

/** The jobs with what an event says of one of them; the same array where that is nothing new. */
export function withJobEvent(jobs: readonly JobModel[], event: LabEvent): readonly JobModel[] {
  const known = jobs.find(job => job.id === event.job_id);
  if (known === undefined || !isOfJob(event)) {
    return jobs;
  }
  const job = withEvent(known, event);
  return job === known ? jobs : jobs.map(one => (one === known ? job : one));
}

/** The jobs as fetched, but none older than what an event has said meanwhile. */
export function newest(
  fetched: readonly JobModel[],
  had: readonly JobModel[]
): readonly JobModel[] {
  const known = new Map(had.map(job => [job.id, job]));
  return fetched.map(job => newer(known.get(job.id), job));
}

/** Ask for one topic; the part of the state that it is. */
export async function fetchTopic(
  topic: Topic,
  request: LabRequest,
  state: ILabState,
  now: number
): Promise<Partial<ILabState>> {
  switch (topic) {
    case 'qpus':
      return { qpus: (await request<QpuList>('qpus')).qpus };
    case 'jobs':
      return { jobs: (await request<JobPage>(`jobs?mine=true&limit=${JOBS}`)).jobs };
    case 'me':
      return { me: await unlessRefused(request<Me>('me'), null) };
    case 'account':
      return fetchAccount(request, state);
    case 'notices': {
      const none: NoticeList = { notices: [] };
      return { notices: (await unlessRefused(request<NoticeList>('notices'), none)).notices };
    }
    case 'bookings':
      return fetchBookings(request, now);
  }
}

async function fetchAccount(request: LabRequest, state: ILabState): Promise<Partial<ILabState>> {
  if (!state.me) {
    return {};
  }
  const name = encodeURIComponent(state.me.user.name);
  return { account: await unlessRefused(request<AccountModel>(`accounts/${name}`), null) };
}

async function fetchBookings(request: LabRequest, now: number): Promise<Partial<ILabState>> {
  const none: BookingList = { bookings: [], next: null, cut_at: null };
  const start = new Date(now).toISOString();
  const end = new Date(now + AHEAD).toISOString();
  const [all, mine] = await Promise.all(
    [
      `bookings?status=booked&start=${start}&end=${end}&limit=${BOOKINGS}`,
      `bookings?status=booked&mine=true&start=${start}&limit=${MY_BOOKINGS}`
    ].map(path => unlessRefused(request<BookingList>(path), none))
  );
  return { bookings: all?.bookings ?? [], myBookings: mine?.bookings ?? [] };
}

/** An older lab, or a token with fewer scopes, has less to show: the rest is shown all the same. */
async function unlessRefused<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (isRefusal(error) && [403, 404].includes(error.response.status)) {
      return otherwise;
    }
    throw error;
  }
}
