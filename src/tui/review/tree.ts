/** Changed files as a tree of folders; a folder that holds nothing but one folder is shown with it as one. */
import type { ReviewItem } from '../../review/review-item.ts';

export interface TreeNode {
  /** Path from the project's root; of a folder without a slash at its end. */
  path: string;
  /** The part of the path that is new against the node above. */
  name: string;
  depth: number;
  /** A file's change; a folder has none. */
  item?: ReviewItem;
  children: TreeNode[];
  /** All files below, or the file itself. */
  items: ReviewItem[];
}

/** A tree of these items, folders before files, each in the order of their names. */
export function buildTree(items: readonly ReviewItem[]): TreeNode {
  const root: TreeNode = { path: '', name: '', depth: -1, children: [], items: [...items] };
  const folders = new Map<string, TreeNode>([['', root]]);
  for (const item of items) {
    const { path } = item.change;
    const parent = folderOf(path, folders);
    const name = path.slice(parent.path === '' ? 0 : parent.path.length + 1);
    parent.children.push({ path, name, depth: 0, item, children: [], items: [item] });
    for (let up = parent; up !== root; up = folderOf(up.path, folders)) up.items.push(item);
  }
  arrange(root, -1);
  return root;
}

function folderOf(path: string, folders: Map<string, TreeNode>): TreeNode {
  const slash = path.lastIndexOf('/');
  const folder = slash === -1 ? '' : path.slice(0, slash);
  const known = folders.get(folder);
  if (known !== undefined) return known;
  const parent = folderOf(folder, folders);
  const name = folder.slice(parent.path === '' ? 0 : parent.path.length + 1);
  const made: TreeNode = { path: folder, name, depth: 0, children: [], items: [] };
  folders.set(folder, made);
  parent.children.push(made);
  return made;
}

function arrange(node: TreeNode, depth: number): void {
  node.depth = depth;
  node.children = node.children.map(joinChain);
  node.children.sort(
    (a, b) => Number(a.item !== undefined) - Number(b.item !== undefined) || (a.name < b.name ? -1 : 1),
  );
  for (const child of node.children) arrange(child, depth + 1);
}

function joinChain(node: TreeNode): TreeNode {
  const [only] = node.children;
  if (node.item !== undefined || node.children.length !== 1 || only === undefined || only.item !== undefined)
    return node;
  return joinChain({ ...only, name: `${node.name}/${only.name}` });
}

/** The nodes that show, from top to bottom: not those in a folded folder. */
export function visibleNodes(root: TreeNode, folded: ReadonlySet<string>): TreeNode[] {
  const out: TreeNode[] = [];
  const visit = (node: TreeNode) => {
    for (const child of node.children) {
      out.push(child);
      if (!folded.has(child.path)) visit(child);
    }
  };
  visit(root);
  return out;
}
