"""Pictures of progress: values in, SVG or PNG and words out. https://www.w3.org/TR/WCAG22/#non-text-content"""
