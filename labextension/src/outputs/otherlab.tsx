import * as React from 'react';

import { Act } from '../act';
import { CONNECT } from '../around/ids';
import { startAnew, type Way, wayTo } from '../labs';
import type { LabRequest } from '../request';
import { send } from '../send';
import type { LabConnections } from '../wire';
import type { IPage } from './view';

/** The labs of this server, asked for once a page; null where it shows its own lab alone. */
export class Elsewhere {
  constructor(private readonly _server: LabRequest) {}

  labs(): Promise<LabConnections | null> {
    this._labs ??= this._server<LabConnections>('labs').catch(() => null);
    return this._labs;
  }

  async show(name: string): Promise<void> {
    await send(this._server, 'PUT', 'labs/current', { name });
  }

  private _labs: Promise<LabConnections | null> | undefined;
}

/** The way to the lab at `address`, once it is known. */
export function useWayTo(address: string, elsewhere: Elsewhere): Way {
  const [labs, setLabs] = React.useState<LabConnections | null>(null);
  React.useEffect(() => {
    void elsewhere.labs().then(setLabs);
  }, [elsewhere]);
  return wayTo(address, labs);
}

/** What leads there. */
export function OtherLab(props: { way: Way; page: IPage }): React.ReactElement | null {
  const { way, page } = props;
  const { commands, trans } = page;
  switch (way.kind) {
    case 'show':
      return <Act label={trans.__('Show that lab')} act={() => show(way.name, page)} />;
    case 'switch':
      return <Act label={trans.__('Switch…')} act={() => commands.execute(CONNECT)} />;
    case 'connect':
      return (
        <Act
          label={trans.__('Connect to it…')}
          act={() => commands.execute(CONNECT, { url: way.url })}
        />
      );
    default:
      return null;
  }
}

/** Show another lab. */
async function show(name: string, { commands, elsewhere }: IPage): Promise<void> {
  await elsewhere.show(name);
  await startAnew(commands);
}
