import '../../style/common.css';

import { Dialog } from '@jupyterlab/apputils';
import type { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { keepFocus } from '../focus';
import { type IDistrust, Labs, startAnew } from '../labs';
import { serverRequest } from '../serverrequest';
import type { CodeShown, LabIn } from '../wire';

type Way = 'code' | 'password' | 'token';

/** Connect to labs, that at `url` for one, switch between them, disconnect. */
export async function showLabs(
  commands: CommandRegistry,
  settings: ServerConnection.ISettings,
  trans: TranslationBundle,
  url: string
): Promise<void> {
  const labs = new Labs(serverRequest(settings), () => void startAnew(commands));
  void labs.load();
  await new LabsDialog(labs, trans, url).launch();
  if (labs.state?.waiting) {
    await labs.cancel();
  }
  labs.dispose();
}

/** What the Tab key stops at in the dialog's body, in its order. */
const STOPS = '.jp-QPI-Labs :is(a[href], button, input, select)';

/** Enter in its body is the body's own, and Tab after its last button leads to the first stop of what is shown now. */
class LabsDialog extends Dialog<unknown> {
  constructor(labs: Labs, trans: TranslationBundle, url: string) {
    super({
      title: trans.__('Connect to a lab'),
      body: new LabsBody(labs, trans, url),
      buttons: [Dialog.cancelButton({ label: trans.__('Close') })],
      focusNodeSelector: 'input'
    });
  }

  override handleEvent(event: Event): void {
    if (event.type === 'keydown') {
      const { key, shiftKey } = event as KeyboardEvent;
      const target = event.target as Element;
      const inBody = target.closest('.jp-QPI-Labs') !== null;
      if (key === 'Enter' && inBody) {
        return;
      }
      const first = this.node.querySelector<HTMLElement>(STOPS);
      if (key === 'Tab' && !shiftKey && !inBody && first !== null) {
        event.preventDefault();
        event.stopPropagation();
        first.focus();
        return;
      }
    }
    super.handleEvent(event);
  }
}

class LabsBody extends ReactWidget {
  constructor(
    private readonly _labs: Labs,
    private readonly _trans: TranslationBundle,
    private readonly _url: string
  ) {
    super();
    this.addClass('jp-QPI-Submit');
    this.addClass('jp-QPI-Labs');
    _labs.changed.connect(this.update, this);
    keepFocus(this.node, () => this.node.querySelector('a[href], input, button'));
  }

  override dispose(): void {
    this._labs.changed.disconnect(this.update, this);
    super.dispose();
  }

  protected override render(): React.ReactElement {
    const labs = this._labs;
    const trans = this._trans;
    const waiting = labs.state?.waiting;
    return (
      <>
        <Known labs={labs} trans={trans} />
        {waiting ? (
          <Waiting code={waiting} labs={labs} trans={trans} />
        ) : labs.distrust ? (
          <Trust distrust={labs.distrust} labs={labs} trans={trans} />
        ) : (
          <Connect labs={labs} trans={trans} url={this._url} />
        )}
        <div className="jp-QPI-SubmitSaid">
          {labs.problem && <p role="alert">{labs.problem}</p>}
        </div>
      </>
    );
  }
}

interface IPart {
  readonly labs: Labs;
  readonly trans: TranslationBundle;
}

function Button(props: {
  label: string;
  name?: string;
  act: () => Promise<void>;
  labs: Labs;
}): React.ReactElement {
  return (
    <button
      type="button"
      className="jp-QPI-Action jp-mod-styled"
      aria-label={props.name ?? props.label}
      aria-disabled={props.labs.busy}
      onClick={() => props.labs.busy || void props.act()}
    >
      {props.label}
    </button>
  );
}

/** The labs that are kept. */
function Known({ labs, trans }: IPart): React.ReactElement | null {
  const { state } = labs;
  if (!state || state.labs.length === 0) {
    return null;
  }
  return (
    <ul className="jp-QPI-List" aria-label={trans.__('Your labs')}>
      <li className="jp-QPI-Row jp-QPI-RowHead">
        <span className="jp-QPI-Wrapped">{trans.__("This server's own lab")}</span>
        {state.current === null ? (
          <span>{trans.__('Shown')}</span>
        ) : (
          <Button
            labs={labs}
            label={trans.__('Show')}
            name={trans.__("Show this server's own lab")}
            act={() => labs.choose(null)}
          />
        )}
      </li>
      {state.labs.map(lab => (
        <li className="jp-QPI-Row jp-QPI-RowHead" key={lab.name}>
          <span className="jp-QPI-Wrapped" title={lab.url}>
            {trans.__('%1 as %2', lab.name, lab.person)}
          </span>
          {state.current === lab.name ? (
            <span>{trans.__('Shown')}</span>
          ) : (
            <Button
              labs={labs}
              label={trans.__('Show')}
              name={trans.__('Show %1', lab.name)}
              act={() => labs.choose(lab.name)}
            />
          )}
          <Button
            labs={labs}
            label={trans.__('Disconnect')}
            name={trans.__('Disconnect from %1', lab.name)}
            act={() => labs.disconnect(lab.name)}
          />
        </li>
      ))}
    </ul>
  );
}

function Connect({ labs, trans, url }: IPart & { url: string }): React.ReactElement {
  const [way, setWay] = React.useState<Way>('code');
  const submit = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget)) as Record<string, string>;
    const { url: address = '', user, password, token } = given;
    const secrets = way === 'password' ? { user, password } : way === 'token' ? { token } : {};
    if (!labs.busy) {
      void labs.connect({ url: address, ...secrets } as LabIn);
    }
  };
  const text = (name: string, label: string, type = 'text', hint = '', initial = '') => (
    <label>
      {label}
      <input
        className="jp-mod-styled"
        name={name}
        type={type}
        required
        defaultValue={initial}
        placeholder={hint}
        autoComplete="off"
        spellCheck={false}
      />
    </label>
  );
  return (
    <form onSubmit={submit}>
      {text('url', trans.__('Address of the lab'), 'text', 'https://lab.example:8899', url)}
      <label>
        {trans.__('Sign in with')}
        <select
          className="jp-mod-styled"
          value={way}
          onChange={event => setWay(event.target.value as Way)}
        >
          <option value="code">{trans.__('A code that I confirm in the browser')}</option>
          <option value="password">{trans.__('Name and password')}</option>
          <option value="token">{trans.__('An API token')}</option>
        </select>
      </label>
      {way === 'password' && text('user', trans.__('Name or e-mail'))}
      {way === 'password' && text('password', trans.__('Password'), 'password')}
      {way === 'token' && text('token', trans.__('API token'), 'password')}
      <button type="submit" className="jp-QPI-Action jp-mod-styled" aria-disabled={labs.busy}>
        {labs.busy ? trans.__('Connecting…') : trans.__('Connect')}
      </button>
    </form>
  );
}

/** Ask whether the lab's own authority is the right one. */
function Trust({ distrust, labs, trans }: IPart & { distrust: IDistrust }): React.ReactElement {
  const { before, fingerprint, wanted } = distrust;
  return (
    <section aria-label={trans.__('Certificate authority')}>
      <p role={before === null ? 'status' : 'alert'}>
        {before === null
          ? trans.__('This lab has its own certificate authority, with the SHA-256 fingerprint:')
          : trans.__(
              'The certificate authority of this lab has CHANGED. Unless its administrator says why, somebody may sit in between. It was:'
            )}
      </p>
      {before !== null && (
        <>
          <code className="jp-QPI-Wrapped">{before}</code>
          <p>{trans.__('Now it is:')}</p>
        </>
      )}
      <code className="jp-QPI-Wrapped">{fingerprint}</code>
      <p>
        {trans.__(
          "Compare it with the lab's home page on its own machine, or ask its administrator."
        )}
      </p>
      <Button
        labs={labs}
        label={trans.__('Trust and connect')}
        act={() => labs.connect({ ...wanted, fingerprint })}
      />
      <Button labs={labs} label={trans.__('Cancel')} act={() => labs.load()} />
    </section>
  );
}

function Waiting({ code, labs, trans }: IPart & { code: CodeShown }): React.ReactElement {
  return (
    <div role="status">
      <p>{trans.__('Open the lab in your browser, sign in, and allow this code:')}</p>
      <p className="jp-QPI-Code">{code.user_code}</p>
      <p>
        <a href={code.page} target="_blank" rel="noopener noreferrer" className="jp-QPI-Wrapped">
          {code.page}
        </a>
      </p>
      <Button labs={labs} label={trans.__('Cancel')} act={() => labs.cancel()} />
    </div>
  );
}
