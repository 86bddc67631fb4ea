"""Reading files: text, Markdown, tables, HTML and PDF become drafts of documents."""
