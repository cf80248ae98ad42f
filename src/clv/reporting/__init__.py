"""Tables first, figures drawn from tables, then one page and one workbook."""
