import { isRefusal, type LabRequest } from './request';
import type { ILabState } from './tokens';
import type {
  AccountModel,
  BookingList,
  EventModel,
  JobModel,
  JobPage,
  Me,
  NoticeList,
  QpuList
} from './wire';

/** What is fetched on its own. */
export type Topic = 'me' | 'account' | 'qpus' | 'jobs' | 'bookings' | 'notices';

export const TOPICS: readonly Topic[] = ['me', 'account', 'qpus', 'jobs', 'bookings', 'notices'];
/** Jobs that are kept: what the panel can be set to show, and a few that others may need. */
const JOBS = 50;
const BOOKINGS = 200;
const MY_BOOKINGS = 20;
/** How far ahead everybody's bookings are looked at (ms). */
const AHEAD = 7 * 86_400_000;
const ENDED: readonly JobModel['status'][] = ['completed', 'failed', 'cancelled'];

/** What an event may have changed in `state`. */
export function topicsOf(event: EventModel, state: ILabState): readonly Topic[] {
  switch (event.kind.split('.')[0]) {
    case 'job':
      return ofJob(event, state);
    case 'qpu':
      return waiting(state) ? ['qpus', 'jobs'] : ['qpus'];
    case 'booking':
    case 'session':
      return waiting(state) ? ['bookings', 'qpus', 'jobs'] : ['bookings', 'qpus'];
    case 'balance':
      return ['account'];
    case 'notice':
      return ['notices'];
    case 'person':
      return ['me', 'account'];
    default:
      return []; // a time request, or what a newer lab tells
  }
}

function ofJob(event: EventModel, state: ILabState): readonly Topic[] {
  if (event.kind === 'job.progress') {
    return []; // the event says it all
  }
  const mine = isMine(event, state);
  if (event.kind === 'job.edited' || event.kind === 'job.checked') {
    return mine ? ['jobs'] : [];
  }
  const topics: Topic[] = mine || waiting(state) ? ['qpus', 'jobs'] : ['qpus'];
  return mine && 'ledger' in event.data ? [...topics, 'account'] : topics;
}

function isMine(event: EventModel, state: ILabState): boolean {
  const owner = event.data.owner;
  return state.me === null || owner === undefined || owner === state.me.user.name;
}

/** Whether a job of mine waits: what others do then changes its place and its reason. */
function waiting(state: ILabState): boolean {
  return state.jobs.some(job => job.status === 'pending');
}

export function hasEnded(job: JobModel): boolean {
  return ENDED.includes(job.status);
}

/** The jobs with what an event says of one of them; the same array where that is nothing new. */
export function withEvent(jobs: readonly JobModel[], event: EventModel): readonly JobModel[] {
  const { version, status, phase, progress, attempt } = event.data as Partial<JobModel>;
  const known = jobs.find(job => job.id === event.job_id);
  if (!known || version === undefined || version <= known.version) {
    return jobs;
  }
  const said = {
    version,
    status: status ?? known.status,
    phase: phase ?? known.phase,
    progress: progress ?? known.progress,
    attempt: attempt ?? known.attempt,
    qpu: event.qpu ?? known.qpu,
    reason: phase === 'queued' ? known.reason : null
  };
  return jobs.map(job => (job === known ? { ...known, ...said } : job));
}

/** The jobs as fetched, but none older than what an event has said meanwhile. */
export function newest(
  fetched: readonly JobModel[],
  had: readonly JobModel[]
): readonly JobModel[] {
  const versions = new Map(had.map(job => [job.id, job]));
  return fetched.map(job => {
    const known = versions.get(job.id);
    return known && known.version > job.version ? known : job;
  });
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
