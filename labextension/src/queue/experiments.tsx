import * as React from 'react';

import { type IExperiment, resultDrawings } from '../drawings';
import { CircuitChoice } from './choice';
import { Drawn } from './drawn';
import type { IResultSource } from './followed';
import { shownOf } from './sweeps';
import type { ITools } from './tools';

/** The results that did not come with their job, one circuit at a time, each as its kind is drawn. */
export function Experiments(props: {
  model: IResultSource;
  tools: Pick<ITools, 'trans'>;
}): React.ReactElement {
  const { model, tools } = props;
  const { trans } = tools;
  const [experiments, setExperiments] = React.useState<readonly IExperiment[] | null>(null);
  const [problem, setProblem] = React.useState('');
  const [chosen, choose] = React.useState(0);
  React.useEffect(() => {
    let wanted = true;
    model.experiments().then(
      found => wanted && setExperiments(shownOf(found)),
      error => wanted && setProblem(error instanceof Error ? error.message : String(error))
    );
    return () => {
      wanted = false;
    };
  }, [model]);
  if (problem || experiments === null) {
    return <p role="status">{problem || trans.__('Loading…')}</p>;
  }
  const experiment = experiments[chosen];
  const Drawing = resultDrawings.get(experiment?.kind ?? '') ?? Drawn;
  return (
    <>
      <CircuitChoice count={experiments.length} value={chosen} choose={choose} tools={tools} />
      {experiment && <Drawing key={chosen} experiment={experiment} trans={trans} />}
    </>
  );
}
