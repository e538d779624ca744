import type { ReactWidget } from '@jupyterlab/ui-components';

/** What the Tab key stops at. */
const STOPS =
  ':is(a[href], button, input, select, textarea, summary, [tabindex="0"]):not(:disabled)';

/** An element around the one with the focus, and which of its children leads to that. */
type Place = readonly [around: Element, index: number];

/**
 * Keep the keyboard's place in a widget: where what had the focus goes away, or was switched off for a while, what
 * stands there next gets it. Browsers leave it on the page's body, and whoever uses no mouse would begin anew.
 *
 * @param root - the widget's node
 * @param home - what gets the focus where nothing is left beside it
 */
export function keepFocus(root: HTMLElement, home: () => Element | null): void {
  let last: Element | null = null;
  let places: readonly Place[] = [];
  const watcher = new MutationObserver(() => {
    if (last !== null && document.activeElement === document.body && !isOff(last)) {
      focus(last.isConnected ? last : (beside(places) ?? home()));
    }
  });
  root.addEventListener('focusin', event => {
    last = event.target as Element;
    places = placesOf(last, root);
    const changes = { childList: true, subtree: true, attributeFilter: ['disabled'] };
    watcher.observe(root, changes);
  });
  root.addEventListener('focusout', event => {
    const left = event.target as Element;
    // While it is being taken out it still looks as if it were there.
    queueMicrotask(() => {
      const moved = document.activeElement !== left && left.isConnected && !isOff(left);
      if (moved && left === last) {
        last = null;
        watcher.disconnect();
      }
    });
  });
}

/**
 * Once a widget that was just opened is drawn, hand its focus on to the part that keys are for.
 *
 * JupyterLab focuses the widget's node first, unless the focus is in there already.
 */
export async function handFocus(widget: ReactWidget, to: () => HTMLElement | null): Promise<void> {
  await widget.renderPromise;
  if (document.activeElement === widget.node) {
    to()?.focus();
  }
}

function isOff(element: Element): boolean {
  return element.isConnected && element.matches(':disabled');
}

function focus(element: Element | null): void {
  if (element instanceof HTMLElement || element instanceof SVGElement) {
    element.focus();
  }
}

/** From the parent of `element` up to `root`. */
function placesOf(element: Element, root: Element): readonly Place[] {
  const places: Place[] = [];
  let child = element;
  while (child !== root && child.parentElement !== null) {
    places.push([child.parentElement, [...child.parentElement.children].indexOf(child)]);
    child = child.parentElement;
  }
  return places;
}

/** What now stands where the lost element stood, or else beside it. */
function beside(places: readonly Place[]): Element | null {
  for (const [around, index] of places) {
    const next = around.children[Math.min(index, around.children.length - 1)];
    const found = stop(next) ?? stop(around, 1);
    if (found !== null) {
      return found;
    }
  }
  return null;
}

/** The first stop of the Tab key that is seen: an element itself, or one in it. */
function stop(element: Element | undefined, from = 0): Element | null {
  if (element?.isConnected !== true) {
    return null;
  }
  const all = [element, ...element.querySelectorAll(STOPS)].slice(from);
  return all.find(one => one.matches(STOPS) && one.checkVisibility()) ?? null;
}
