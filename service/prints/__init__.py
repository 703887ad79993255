"""Documents to read on a screen or on paper, from one model: as HTML and as PDF. https://www.w3.org/TR/WCAG22/"""
