import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { ILabManager, ILabState } from './tokens';

/** Something with a state that is replaced, and a signal that says so. */
export interface IModel<T> {
  readonly state: T;
  readonly changed: ISignal<unknown, unknown>;
}

/** What `read` finds now, and again whenever the signal comes. */
function useSignal<T>(signal: ISignal<unknown, unknown>, read: () => T): T {
  const subscribe = React.useCallback(
    (changed: () => void) => {
      signal.connect(changed);
      return () => void signal.disconnect(changed);
    },
    [signal]
  );
  return React.useSyncExternalStore(subscribe, read);
}

/** The present state of a model. */
export function useModel<T>(model: IModel<T>): T {
  return useSignal(model.changed, () => model.state);
}

/** A part of what is known of the lab. */
export function useLab<T>(manager: ILabManager, pick: (state: ILabState) => T): T {
  return useSignal(manager.changed, () => pick(manager.state));
}

/** Draw anew when the signal comes, once a frame at most. */
export function useFrame(signal: ISignal<unknown, unknown>): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let frame = 0;
    const onChange = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    };
    signal.connect(onChange);
    draw(); // what came before the signal was listened to
    return () => {
      signal.disconnect(onChange);
      cancelAnimationFrame(frame);
    };
  }, [signal]);
}
