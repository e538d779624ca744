import '../../style/driverlog.css';

import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useModel } from '../hooks';
import type { ILabManager } from '../tokens';
import type { DriverLogLine } from '../wire';
import { DriverLogModel, plainText, stamp } from './driverlog';

/** So close to its end a log counts as read to the end (px). */
const NEAR = 8;

export interface IDriverLogProps {
  readonly manager: ILabManager;
  readonly qpu: string;
  readonly driver: string;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}

/** What a driver says, as it says it; with a `key`, since another driver's log is another one of these. */
export function DriverLogView(props: IDriverLogProps): React.ReactElement | null {
  const { manager, qpu, driver } = props;
  const [model, setModel] = React.useState<DriverLogModel | null>(null);
  // Before it is drawn: afterwards the button that asked for it may be disabled
  const opener = React.useRef(document.activeElement);
  React.useEffect(() => {
    const its = new DriverLogModel(manager, qpu, driver);
    setModel(its);
    void its.refresh();
    return () => its.dispose();
  }, [manager, qpu, driver]);
  const close = () => {
    props.onClose();
    if (opener.current instanceof HTMLElement) {
      opener.current.focus();
    }
  };
  return model && <Log {...props} model={model} onClose={close} />;
}

function Log(props: IDriverLogProps & { readonly model: DriverLogModel }): React.ReactElement {
  const { model, driver, trans } = props;
  const { lines, loaded, problem } = useModel(model);
  const [copied, setCopied] = React.useState(false);
  const { frame, follows, onScroll, follow } = useEnd(lines);
  React.useEffect(() => frame.current?.focus(), [frame]);
  const title = trans.__('Log of %1', driver);
  return (
    <section
      className="jp-QPI-Log"
      aria-label={title}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onClose();
        }
      }}
    >
      <div className="jp-QPI-LogHead">
        <h3>{title}</h3>
        {!follows && (
          <button type="button" className="jp-mod-styled" onClick={follow}>
            {trans.__('Jump to latest')}
          </button>
        )}
        <button
          type="button"
          className="jp-mod-styled"
          disabled={lines.length === 0}
          onClick={() => {
            Clipboard.copyToSystem(plainText(lines));
            setCopied(true);
          }}
        >
          {copied ? trans.__('Copied') : trans.__('Copy')}
        </button>
        <button type="button" className="jp-mod-styled" onClick={props.onClose}>
          {trans.__('Close')}
        </button>
      </div>
      {problem !== null && (
        <p role="alert" className="jp-QPI-LogProblem">
          {problem}
        </p>
      )}
      <div
        ref={frame}
        role="log"
        aria-label={title}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard scrolls it
        tabIndex={0}
        className="jp-QPI-LogLines"
        onScroll={onScroll}
      >
        {!loaded && problem === null && trans.__('Loading…')}
        {loaded && lines.length === 0 && trans.__('No log entries from %1 yet.', driver)}
        {lines.map(line => (
          <Line key={line.seq} line={line} trans={trans} />
        ))}
      </div>
    </section>
  );
}

const Line = React.memo(function Line(props: {
  readonly line: DriverLogLine;
  readonly trans: TranslationBundle;
}): React.ReactElement {
  const { line, trans } = props;
  const words: Readonly<Record<DriverLogLine['level'], string>> = {
    info: trans.__('info'),
    warning: trans.__('warning'),
    error: trans.__('error'),
    critical: trans.__('critical')
  };
  return (
    <>
      {line.dropped > 0 && (
        <div className="jp-QPI-LogDropped">
          {trans._n('%1 line left out here', '%1 lines left out here', line.dropped)}
        </div>
      )}
      <div className="jp-QPI-LogLine" data-level={line.level}>
        <time dateTime={line.at}>{stamp(line.at)}</time>{' '}
        <span className="jp-QPI-LogLevel">{words[line.level]}</span>{' '}
        <span className="jp-QPI-LogText" title={line.logger}>
          {line.message}
        </span>
      </div>
    </>
  );
});

/** Keeps a frame at its end as lines come, until whoever reads scrolls up. */
function useEnd(lines: readonly DriverLogLine[]): {
  readonly frame: React.RefObject<HTMLDivElement>;
  readonly follows: boolean;
  readonly onScroll: () => void;
  readonly follow: () => void;
} {
  const frame = React.useRef<HTMLDivElement>(null);
  const [follows, setFollows] = React.useState(true);
  const toEnd = () => frame.current?.scrollTo({ top: frame.current.scrollHeight });
  React.useLayoutEffect(() => {
    if (follows) {
      toEnd();
    }
  }, [lines, follows]);
  const onScroll = () => {
    const node = frame.current;
    if (node !== null) {
      setFollows(node.scrollHeight - node.scrollTop - node.clientHeight < NEAR);
    }
  };
  return { frame, follows, onScroll, follow: () => setFollows(true) };
}
