import * as React from 'react';

import type { IDrawing } from '../drawings';
import type { JobModel, PartialResult } from '../wire';
import { OneOf } from './drawn';
import { Section } from './facts';
import type { IGrowingSource } from './followed';
import type { ITools } from './tools';

/** What a running job has measured so far, drawn as its result is going to be. */
export function Growing(props: {
  job: JobModel;
  model: IGrowingSource;
  tools: Pick<ITools, 'trans'>;
}): React.ReactElement | null {
  const { job, model, tools } = props;
  const { trans } = tools;
  const [found, setFound] = React.useState<PartialResult | null>(null);
  React.useEffect(() => {
    const left = new AbortController();
    setFound(null);
    void model.follow(setFound, left.signal);
    return () => left.abort();
  }, [model, job.attempt]);
  if (found === null || found.measured === 0) {
    return null;
  }
  const { circuits, measured } = found;
  const drawings = found.drawings as unknown as readonly IDrawing[];
  return (
    <Section title={trans.__('Result so far')}>
      <p className="jp-QPI-Detail" role="status">
        {circuits === null
          ? trans.__('%1 measured', measured)
          : trans.__('%1 of %2 measured', measured, circuits)}
      </p>
      <OneOf drawings={drawings} total={drawings.length} trans={trans} />
    </Section>
  );
}
