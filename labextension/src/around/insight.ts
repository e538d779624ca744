/** What shows one job has its id as `data-job`. */
const VIEWS = (id: string) => `[data-job="${CSS.escape(id)}"]`;

/** Whether somebody who looks at this page sees a view of the job: it is not scrolled away, nor behind another tab. */
export async function inSight(id: string): Promise<boolean> {
  const views = [...document.querySelectorAll(VIEWS(id))];
  if (document.hidden || views.length === 0) {
    return false; // a page that is hidden draws nothing, and would never answer
  }
  return new Promise(resolve => {
    const observer = new IntersectionObserver(entries => {
      observer.disconnect();
      resolve(entries.some(entry => entry.isIntersecting));
    });
    for (const view of views) {
      observer.observe(view);
    }
  });
}
