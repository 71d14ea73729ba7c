import { type PanelProps, renderTextPanelMarkdown, textUtil } from '@grafana/data';
import { plugin } from '../fieldOptions';

const options = { mode: 'markdown', content: '' };

function Text({ options: { mode, content }, replaceVariables, height }: PanelProps) {
  const text = replaceVariables(content, {}, 'html');
  const html = mode === 'markdown' ? renderTextPanelMarkdown(text) : textUtil.sanitizeTextPanelContent(text);
  return (
    <div
      className="markdown-html"
      style={{ height, overflow: 'hidden' }}
      dangerouslySetInnerHTML={{ __html: html }}
    />
  );
}

export default plugin(Text, { options });
