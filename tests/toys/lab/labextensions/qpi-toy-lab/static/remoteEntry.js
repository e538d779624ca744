// An extension of JupyterLab as a bundler would write it, by hand: it takes the panel's module from those that all
// extensions of a page share, and adds a tab to it. Nothing in the panel knows it.
(() => {
  let shared;

  const taken = async name => {
    const [version] = Object.keys(shared[name]);
    return (await shared[name][version].get())();
  };

  const extension = async () => {
    const [{ ILabManager, ITabs }, { LabIcon }, { Widget }] = await Promise.all(
      ['qpi-jupyter', '@jupyterlab/ui-components', '@lumino/widgets'].map(taken)
    );
    const coin = new LabIcon({
      name: 'qpi-toy-lab:coin',
      svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
        <circle class="jp-icon3 toy-coin" cx="12" cy="12" r="9" fill="#616161"/>
      </svg>`
    });
    const coins = {
      id: 'qpi-toy-lab:coins',
      autoStart: true,
      requires: [ITabs, ILabManager],
      activate: (_, tabs, manager) => {
        tabs.add({
          name: 'coins',
          icon: coin,
          rank: 50,
          label: 'Coins',
          caption: 'Coins of the lab',
          title: () => 'Coins',
          make: async () => {
            await manager.refresh();
            const widget = new Widget();
            widget.node.textContent = `${manager.state.qpus.length} QPUs toss coins`;
            return widget;
          }
        });
        tabs.add({
          name: 'coin',
          icon: coin,
          label: 'Open Coin…',
          argument: 'side',
          ask: async () => 'heads',
          title: side => side,
          make: async side => {
            const widget = new Widget();
            widget.node.textContent = `A coin shows ${side}`;
            return widget;
          }
        });
      }
    };
    // A second tab of that name is refused, whichever comes first
    return [coins, { ...coins, id: 'qpi-toy-lab:twin' }];
  };

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB['qpi-toy-lab'] = {
    init: scope => {
      shared = scope;
    },
    get: async () => {
      const plugins = await extension();
      return () => ({ __esModule: true, default: plugins });
    }
  };
})();
