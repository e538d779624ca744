import type * as React from 'react';

import type { ITools } from './tools';

/** Which circuit of a job is looked at; nothing where there is one only. */
export function CircuitChoice(props: {
  count: number;
  value: number;
  choose: (circuit: number) => void;
  tools: Pick<ITools, 'trans'>;
}): React.ReactElement | null {
  const { choose, count, value } = props;
  const { trans } = props.tools;
  return count < 2 ? null : (
    <label className="jp-QPI-CircuitChoice">
      {trans.__('Circuit')}{' '}
      <select
        className="jp-mod-styled"
        value={value}
        onChange={event => choose(Number(event.target.value))}
      >
        {Array.from({ length: count }, (_, index) => (
          <option key={String(index)} value={index}>
            {index + 1}
          </option>
        ))}
      </select>{' '}
      {trans.__('of %1', count)}
    </label>
  );
}
