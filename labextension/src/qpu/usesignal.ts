import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/** What a model says now, and again whenever its signal says that it changed. */
export function useSignal<S, A, T>(signal: ISignal<S, A>, read: () => T): T {
  const subscribe = React.useCallback(
    (changed: () => void) => {
      signal.connect(changed);
      return () => {
        signal.disconnect(changed);
      };
    },
    [signal]
  );
  return React.useSyncExternalStore(subscribe, read);
}
