import type * as React from 'react';

import type { QueueModel } from './model';
import { COLUMNS, turned } from './order';
import type { ITools } from './tools';

/** The heads of the columns; a click sorts by one, another click turns that round. */
export function TableHead(props: {
  model: QueueModel;
  tools: ITools;
  onSort: () => void;
}): React.ReactElement {
  const { model, onSort } = props;
  const { trans } = props.tools;
  const heads = [
    ['state', trans.__('Status')],
    ['name', trans.__('Name and tags')],
    ['qpu', trans.__('QPU')],
    ['owner', trans.__('Owner')],
    ['shots', trans.__('Shots')],
    ['submitted', trans.__('Submitted')],
    ['detail', trans.__('Status details')]
  ] as const;
  return (
    <div role="rowgroup" className="jp-QPI-TableHead">
      <div role="row" aria-rowindex={1} className="jp-QPI-JobRow">
        {heads.map(([name, text]) => {
          const column = COLUMNS.find(one => one === name);
          const sorted = model.order.by === name;
          const direction = model.order.descending ? 'descending' : 'ascending';
          const sort = () => {
            onSort();
            void model.sort(turned(model.order, column ?? 'submitted'));
          };
          return (
            <span
              key={name}
              role="columnheader"
              data-column={name}
              {...(column && { 'aria-sort': sorted ? direction : ('none' as const) })}
            >
              {column ? (
                <button
                  type="button"
                  className="jp-QPI-Sort"
                  title={trans.__('Sort by this column')}
                  onClick={sort}
                >
                  <span>{text}</span>
                  <span aria-hidden="true">{sorted && (model.order.descending ? '↓' : '↑')}</span>
                </button>
              ) : (
                text
              )}
            </span>
          );
        })}
      </div>
    </div>
  );
}
