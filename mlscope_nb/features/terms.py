"""Terms: what each measurement means, as pieces of the glossary's sentences."""

from __future__ import annotations

SHAPE = {
    "Area": "Area of {where}: the number of pixels in its mask.",
    "BoundingBoxArea": "Area in pixels of the smallest upright box around {where}.",
    "BoundingBoxMaximum_X": "Right edge of the box around {where}: pixels from the left edge of the crop.",
    "BoundingBoxMaximum_Y": "Lower edge of the box around {where}: pixels from the upper edge of the crop.",
    "BoundingBoxMinimum_X": "Left edge of the box around {where}: pixels from the left edge of the crop.",
    "BoundingBoxMinimum_Y": "Upper edge of the box around {where}: pixels from the upper edge of the crop.",
    "Center_X": "Where the middle of {where} lies: pixels from the left edge of the crop.",
    "Center_Y": "Where the middle of {where} lies: pixels from the upper edge of the crop.",
    "Compactness": "How far {where} is from a disc: outline squared over area, 1 for a disc, more for all else.",
    "ConvexArea": "Area in pixels of {where} with its dents filled, as if a rubber band were put around it.",
    "Eccentricity": "How elongated {where} is: 0 for a circle, near 1 for a line.",
    "EquivalentDiameter": "Diameter in pixels of a disc with the same area as {where}.",
    "EulerNumber": "Number of pieces of {where} less the number of holes in it.",
    "Extent": "Share of the upright box around {where} that it fills.",
    "FilledArea": "Area in pixels of {where} with its holes filled.",
    "FormFactor": "How much like a disc {where} is: 1 for a disc, less the more ragged or elongated it is.",
    "MajorAxisLength": "Length in pixels of {where}: the long axis of the ellipse that is spread like it.",
    "MaxFeretDiameter": "Largest distance in pixels between two pixels of {where}.",
    "MaximumRadius": "Largest distance in pixels from a pixel of {where} to the outside: half its greatest thickness.",
    "MeanRadius": "Mean distance in pixels from the pixels of {where} to the outside.",
    "MedianRadius": "Median distance in pixels from the pixels of {where} to the outside.",
    "MinFeretDiameter": "Width in pixels of the narrowest slit that {where} fits through.",
    "MinorAxisLength": "Width in pixels of {where}: the short axis of the ellipse that is spread like it.",
    "Orientation": "Direction of the long axis of {where}, in degrees from the vertical (nothing if it is round).",
    "Perimeter": "Length in pixels of the outline of {where}.",
    "PerimeterCrofton": "Length in pixels of the outline of {where}, estimated from how often straight lines cross it.",
    "Solidity": "Share of {where} in its own rubber-band hull: 1 without dents, less the more dented it is.",
}
MOMENTS = {
    "Spatial": "Sum over the pixels of {where} of powers of their place in the box around it",
    "Central": "Sum over the pixels of {where} of powers of their distance from its middle",
    "Normalized": "Sum over the pixels of {where} of powers of their distance from its middle, with size taken out",
}
INTENSITY = {
    "IntegratedIntensity": "Brightness of {channel} in {where}, summed over all its pixels.",
    "IntegratedIntensityEdge": "Brightness of {channel} summed over the outline pixels of {where}.",
    "LowerQuartileIntensity": "Brightness of {channel} that a quarter of the pixels of {where} stay below.",
    "MADIntensity": "Spread of {channel} in {where}: the median distance of its pixels from their median brightness.",
    "MassDisplacement": "Distance in pixels from the middle of {where} to the middle of its brightness in {channel}.",
    "MaxIntensity": "Brightness of {channel} in the brightest pixel of {where}.",
    "MaxIntensityEdge": "Brightness of {channel} in the brightest outline pixel of {where}.",
    "MeanIntensity": "Mean brightness of {channel} in {where}.",
    "MeanIntensityEdge": "Mean brightness of {channel} in the outline pixels of {where}.",
    "MedianIntensity": "Brightness of {channel} that half of the pixels of {where} stay below.",
    "MinIntensity": "Brightness of {channel} in the darkest pixel of {where}.",
    "MinIntensityEdge": "Brightness of {channel} in the darkest outline pixel of {where}.",
    "StdIntensity": "How much the brightness of {channel} varies between the pixels of {where} (standard deviation).",
    "StdIntensityEdge": "How much the brightness of {channel} varies along the outline of {where} (std. deviation).",
    "UpperQuartileIntensity": "Brightness of {channel} that three quarters of the pixels of {where} stay below.",
}
TEXTURE = {
    "AngularSecondMoment": "how much a few combinations of grey levels prevail among {pairs}; 1 is perfectly even",
    "Contrast": "how much grey levels differ between {pairs}",
    "Correlation": "how well the grey level of one of two {pairs} tells the other's",
    "DifferenceEntropy": "how unpredictable the difference in grey level of {pairs} is, in bits",
    "DifferenceVariance": "how unequally the possible differences in grey level occur among {pairs}",
    "Entropy": "how unpredictable the grey levels of {pairs} are together, in bits",
    "InfoMeas1": "how much less than independent {pairs} are, from entropies; 0 is independent, -1 fully dependent",
    "InfoMeas2": "how much {pairs} tell about each other, from entropies; 0 is nothing, near 1 everything",
    "InverseDifferenceMoment": "how alike the grey levels of {pairs} are; 1 is the same everywhere",
    "SumAverage": "the mean of the summed grey levels of {pairs}: twice the mean brightness",
    "SumEntropy": "how unpredictable the summed grey level of {pairs} is, in bits",
    "SumVariance": "how much the summed grey level of {pairs} varies: coarse light and dark areas",
    "Variance": "how much grey levels vary among {pairs}",
}
RADIAL = {
    "FracAtD": "Share of the brightness of {channel} in {where} that lies in {ring}.",
    "MeanFrac": "Brightness of {channel} per pixel of {where} in {ring}, where 1 is the mean of all rings.",
    "RadialCV": "How unevenly the brightness of {channel} in {where} is spread around {ring}; 0 is even.",
}
CORRELATION = {
    "Correlation": "How well {first} and {second} go together in the pixels of {where} (Pearson's correlation).",
    "K": "How bright {second} is beside {first} in {where} where both are bright (Manders' k).",
    "Manders": "Share of the bright {first} in {where} that lies where {second} is bright too (Manders' coefficient).",
    "Overlap": "How much bright {first} and {second} overlap in {where}, from 0 to 1, whatever their brightness.",
    "RWC": "Share of the bright {first} in {where} where {second} is bright too, pixels of like rank counting more.",
    "Slope": "How much {second} rises in {where} for each grey level that {first} rises.",
}
NEIGHBOURS = {
    r"NumberOfNeighbors_Adjacent": "Number of other cells that touch {where}.",
    r"PercentTouching_Adjacent": "Percentage of the outline of {where} that touches other cells.",
    r"FirstClosestDistance": "Distance in pixels from {where} to the nearest other one, between their middles.",
    r"SecondClosestDistance": "Distance in pixels from {where} to the second nearest other one, between their middles.",
    r"AngleBetweenNeighbors": "Angle in degrees, seen from {where}, between its two nearest neighbours.",
    r"NumberWithin_([\d.]+)": "Number of other cells whose middle is within {0} px of that of {where}.",
    r"LocalDensity_(\d+)": "Cells per 10,000 square pixels around {where}, from the distance to the {0}th nearest.",
}
SYMMETRIES = {0: "rings around the middle", 1: "one side against the other", 2: "two opposite sides against the others"}


def zernike(n: int, m: int, *, of: str) -> str:
    """Say what a Zernike moment of degree n and repetition m looks at."""
    pattern = SYMMETRIES.get(m, f"{m} lobes around the middle")
    return f"Zernike moment {n}, {m} of {of}: how much of a pattern of {pattern} there is, {_fineness(n)}."


def _fineness(n: int) -> str:
    return "at its coarsest" if n <= 2 else "of middling fineness" if n <= 5 else "at its finest"
