import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/** Draw anew when the signal comes, once a frame at most. */
export function useSignalFrame(signal: ISignal<unknown, unknown>): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let frame = 0;
    const onChange = () => {
      if (frame === 0) {
        frame = requestAnimationFrame(() => {
          frame = 0;
          draw();
        });
      }
    };
    signal.connect(onChange);
    draw(); // what came before the signal was listened to
    return () => {
      signal.disconnect(onChange);
      cancelAnimationFrame(frame);
    };
  }, [signal]);
}
