import * as React from 'react';

import { Act } from '../act';
import { CONNECT } from '../around/ids';
import { startAnew } from '../labs';
import { at, send } from '../send';
import { serverRequest } from '../serverrequest';
import type { LabConnections } from '../wire';
import type { ISideContext } from './view';

/** Which lab elsewhere is shown, if one is, with the ways to another one and back. */
export function Elsewhere({ context }: { context: ISideContext }): React.ReactElement | null {
  const { commands, trans } = context;
  const server = React.useMemo(() => serverRequest(context.server), [context.server]);
  const [state, setState] = React.useState<LabConnections | null>(null);
  React.useEffect(() => {
    // A server that shows its own lab alone has nothing there; what is wrong otherwise, the dialog says.
    void server<LabConnections>('labs').then(setState, () => undefined);
  }, [server]);
  const lab = state?.labs.find(one => one.name === state.current);
  if (!lab) {
    return null;
  }
  const disconnect = async () => {
    await send(server, 'DELETE', at('labs', lab.name));
    await startAnew(commands);
  };
  return (
    <div className="jp-QPI-Elsewhere">
      <span className="jp-QPI-Detail" title={lab.url}>
        {trans.__('%1 as %2', lab.name, lab.person)}
      </span>
      <span>
        <Act
          label={trans.__('Switch…')}
          name={trans.__('Switch to another lab')}
          act={() => commands.execute(CONNECT)}
        />
        <Act
          label={trans.__('Disconnect')}
          name={trans.__('Disconnect from %1', lab.name)}
          act={disconnect}
        />
      </span>
    </div>
  );
}
