import type { JobModel } from '../wire';

/** The path of the notebook that the job came from; null where it came from none. */
export function notebookOf(job: JobModel): string | null {
  const path = job.origin.notebook;
  return typeof path === 'string' && path ? path : null;
}

/**
 * The files of the contents that a kernel may mean by `path`, which may be one of its whole disk; `root` is the folder
 * of the contents there, as Jupyter says it: below a home that it calls ~.
 */
export function candidates(path: string, root: string): string[] {
  const whole = path.replaceAll('\\', '/');
  if (!/^(\/|[A-Za-z]:)/.test(whole)) {
    return [whole];
  }
  const below = `${root.replace(/^~/, '')}/`;
  const starts = root.startsWith('~') ? [...whole.matchAll(/\//g)].map(found => found.index) : [0];
  return starts
    .filter(start => whole.startsWith(below, start))
    .map(start => whole.slice(start + below.length))
    .filter(Boolean);
}
