import '../../style/common.css';
import '../../style/admin.css';
import '../../style/network.css';

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { PREFIX } from '../address';
import type { IAction } from '../board/actions';
import { Board } from '../board/board';
import { Named, offerUndo, Word } from '../board/cells';
import { Issued } from '../board/issued';
import { whole } from '../board/listing';
import { newQpu, newQpuIn } from '../board/newqpu';
import { useRows } from '../board/rows';
import { text } from '../board/values';
import { handFocus, keepFocus } from '../focus';
import { useLab, useModel } from '../hooks';
import { at, send } from '../send';
import type { ILabManager } from '../tokens';
import type {
  Advertisement,
  DriverRegistered,
  Enrolled,
  EnrollmentAnswer,
  LabEvent,
  ServiceList,
  ServiceOffer
} from '../wire';
import { Picture } from './picture';
import { availability, fidelity, latency, size, trust, undoing, why } from './words';

/** Heartbeats that are missed make no event: what is shown is asked for again so often (ms). */
const AGAIN = 10_000;
const KINDS: readonly LabEvent['kind'][] = [
  'qpu.changed',
  'driver.changed',
  'qpu.calibrated',
  'job.changed',
  'job.submitted'
];
const NONE: readonly string[] = [];

function concerns(event: LabEvent): boolean {
  return KINDS.includes(event.kind);
}

/** What the lab's QPUs offer, and who they are. */
export class ServicesView extends ReactWidget {
  constructor(
    private readonly _manager: ILabManager,
    private readonly _trans: TranslationBundle,
    private readonly _commands: CommandRegistry
  ) {
    super();
    this.addClass('jp-QPI-Admin');
    this.addClass('jp-QPI-Services');
    this.node.tabIndex = -1;
    keepFocus(this.node, () => this.node);
  }

  protected override onActivateRequest(): void {
    void handFocus(this, () => this.node);
  }

  protected override render(): React.ReactElement {
    return (
      <div className="jp-QPI-AdminBody">
        <div className="jp-QPI-AdminSection">
          <Services
            manager={this._manager}
            trans={this._trans}
            open={qpu => void this._commands.execute(`${PREFIX}qpu`, { qpu })}
            shown={() => this.isVisible && !document.hidden}
          />
        </div>
      </div>
    );
  }
}

interface IServicesProps {
  readonly manager: ILabManager;
  readonly trans: TranslationBundle;
  readonly open: (qpu: string) => void;
  readonly shown: () => boolean;
}

function Services(props: IServicesProps): React.ReactElement {
  const { manager, trans, open, shown } = props;
  const { request } = manager;
  const [enrolls, setEnrolls] = React.useState(false);
  const [issued, setIssued] = React.useState<DriverRegistered | null>(null);
  const listing = useRows(manager, concerns, () =>
    whole(async () => {
      const found = await request<ServiceList>('services?include_stale=true');
      setEnrolls(found.may_enroll);
      return found.qpus;
    })
  );
  const { rows } = useModel(listing);
  const operates = useLab(manager, state => state.me?.permissions ?? NONE).includes('qpus:operate');
  React.useEffect(() => {
    const timer = setInterval(() => shown() && void listing.load(), AGAIN);
    return () => clearInterval(timer);
  }, [listing, shown]);
  const decide = async (qpu: Advertisement, answer: EnrollmentAnswer, said: string) => {
    await send(request, 'POST', at('enrollment', qpu.qpu), answer);
    const before = { action: undoing(qpu), reason: qpu.trust_reason };
    offerUndo(trans, said, listing, () => send(request, 'POST', at('enrollment', qpu.qpu), before));
  };
  const add: IAction = {
    id: 'enroll',
    label: trans.__('Add a QPU'),
    ask: {
      text: trans.__(
        'A manager approves the QPU before it gets jobs. Its driver can connect at once.'
      ),
      ...newQpu(trans),
      submit: trans.__('Add')
    },
    run: async values => {
      const made = await send<Enrolled>(request, 'POST', 'enrollment', newQpuIn(values));
      setIssued(made.driver);
    }
  };
  return (
    <Board
      title={trans.__('Services')}
      intro={trans.__(
        'What each QPU offers, how good it is by its latest calibration, and how busy it is.'
      )}
      trans={trans}
      listing={listing}
      rowKey={qpu => qpu.qpu}
      found={qpu => searched(qpu, trans)}
      columns={columns(trans, open)}
      {...(operates ? { actions: (qpu: Advertisement) => decisions(qpu, trans, decide) } : {})}
      {...(enrolls ? { create: add } : {})}
      empty={trans.__('No QPUs yet.')}
    >
      {issued !== null && (
        <Issued issued={issued} renewed={false} trans={trans} onClose={() => setIssued(null)} />
      )}
      {rows.length > 0 && <Picture qpus={rows} trans={trans} open={open} />}
    </Board>
  );
}

function searched(qpu: Advertisement, trans: TranslationBundle): string {
  return [
    qpu.qpu,
    qpu.description,
    availability(qpu, trans)[0],
    trust(qpu, trans)[0],
    ...qpu.services.map(({ service }) => service)
  ].join(' ');
}

function columns(trans: TranslationBundle, open: (qpu: string) => void) {
  return [
    {
      head: trans.__('QPU'),
      cell: (qpu: Advertisement) => (
        <>
          <button type="button" className="jp-QPI-ServicesOpen" onClick={() => open(qpu.qpu)}>
            <Named name={qpu.qpu} />
          </button>
          <div className="jp-QPI-Detail">
            {[size(qpu, trans), qpu.description].filter(Boolean).join(', ')}
          </div>
        </>
      )
    },
    {
      head: trans.__('Availability'),
      cell: (qpu: Advertisement) => {
        const [word, tone] = availability(qpu, trans);
        const said = why(qpu, trans);
        return (
          <>
            <Word tone={tone}>{word}</Word>
            {said && <div className="jp-QPI-Detail">{said}</div>}
            {qpu.latency_s !== null && !qpu.stale && (
              <div className="jp-QPI-Detail jp-QPI-ServicesWord">
                {trans.__('Latency: %1', latency(qpu.latency_s))}
              </div>
            )}
          </>
        );
      }
    },
    {
      head: trans.__('Fidelity'),
      cell: (qpu: Advertisement) => (
        <>
          <div title={trans.__('A Bell pair, prepared and measured')}>{fidelity(qpu.fidelity)}</div>
          {qpu.below_min_fidelity && (
            <Word tone="pending">{trans.__('Below the lab’s minimum')}</Word>
          )}
        </>
      )
    },
    {
      head: trans.__('Services'),
      cell: (qpu: Advertisement) => <Offers qpu={qpu} trans={trans} />
    },
    {
      head: trans.__('Trust'),
      cell: (qpu: Advertisement) => {
        const [word, tone] = trust(qpu, trans);
        return (
          <>
            <Word tone={tone}>{word}</Word>
            {qpu.contributed_by && (
              <div className="jp-QPI-Detail">{trans.__('Added by %1', qpu.contributed_by)}</div>
            )}
          </>
        );
      }
    },
    {
      head: trans.__('Jobs'),
      cell: (qpu: Advertisement) => (
        <>
          {qpu.places > 0 && (
            <div className="jp-QPI-ServicesWord">
              {trans.__('%1 of %2 running', qpu.running, qpu.places)}
            </div>
          )}
          <div className="jp-QPI-ServicesWord">{trans.__('%1 waiting', qpu.queued)}</div>
        </>
      )
    }
  ];
}

/** The services of a QPU, and on request how good each is. */
function Offers(props: { qpu: Advertisement; trans: TranslationBundle }): React.ReactElement {
  const { qpu, trans } = props;
  if (qpu.services.length === 0) {
    return <>{'–'}</>;
  }
  return (
    <details>
      <summary>{trans._n('%1 service', '%1 services', qpu.services.length)}</summary>
      <ul className="jp-QPI-List">
        {qpu.services.map(one => (
          <li key={one.service}>
            {`${one.service}: ${fidelity(one.fidelity)}`}
            <span className="jp-QPI-Detail"> {qubits(one, trans)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function qubits(one: ServiceOffer, trans: TranslationBundle): string {
  return one.min_qubits === one.max_qubits
    ? trans._n('%1 qubit', '%1 qubits', one.max_qubits)
    : trans.__('%1 to %2 qubits', one.min_qubits, one.max_qubits);
}

type Decide = (qpu: Advertisement, answer: EnrollmentAnswer, said: string) => Promise<void>;

/** What a manager may decide about a QPU. */
function decisions(
  qpu: Advertisement,
  trans: TranslationBundle,
  decide: Decide
): readonly IAction[] {
  const reason = { name: 'reason', label: trans.__('Reason'), longest: 200 };
  const approve: IAction = {
    id: 'approve',
    label: trans.__('Approve'),
    run: () => decide(qpu, { action: 'approve' }, trans.__('%1 gets jobs now.', qpu.qpu))
  };
  const reject: IAction = {
    id: 'reject',
    label: trans.__('Reject'),
    ask: {
      text: trans.__('%1 gets no jobs. Whoever added it sees the reason.', qpu.qpu),
      fields: [reason],
      submit: trans.__('Reject'),
      danger: true
    },
    run: values =>
      decide(
        qpu,
        { action: 'reject', reason: text(values, 'reason') },
        trans.__('%1 was rejected.', qpu.qpu)
      )
  };
  const quarantine: IAction = {
    id: 'quarantine',
    aside: true,
    label: trans.__('Quarantine'),
    ask: {
      text: trans.__(
        'No new job starts on %1, and no plan uses it. Running jobs end. The reason is shown to everyone.',
        qpu.qpu
      ),
      fields: [reason],
      submit: trans.__('Quarantine'),
      danger: true
    },
    run: values =>
      decide(
        qpu,
        { action: 'quarantine', reason: text(values, 'reason') },
        trans.__('%1 is in quarantine.', qpu.qpu)
      )
  };
  if (qpu.trust === 'quarantined') {
    return [approve];
  }
  if (qpu.trust === 'public_untrusted') {
    return qpu.pending ? [approve, reject, quarantine] : [approve, quarantine];
  }
  return [quarantine];
}
