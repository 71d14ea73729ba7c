import {
  type FieldDisplay,
  type PanelProps,
  ThresholdsMode,
  VizOrientation,
  formattedValueToString,
} from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { Values } from '../Values';
import { plugin } from '../fieldOptions';

// @grafana/ui has the types of Grafana's gauge but not the gauge; so this one is drawn after it.
const options = {
  reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
  orientation: VizOrientation.Auto,
  showThresholdLabels: false,
  showThresholdMarkers: true,
  minVizWidth: 75,
  minVizHeight: 75,
};

/** From the lower left over the top to the lower right, in degrees from the top. */
const [BEGIN, END] = [-110, 110];
const BAR = 0.2;
const MARKER = 0.04;

function Gauges(panel: PanelProps) {
  const { options: o } = panel;
  return (
    <Values
      panel={panel}
      itemSpacing={16}
      autoGrid
      renderValue={({ value, ...size }) => (
        <Gauge
          value={value}
          width={size.width}
          height={size.height}
          isNamed={size.count > 1}
          hasMarkers={o.showThresholdMarkers}
          valueSize={o.text?.valueSize}
        />
      )}
    />
  );
}

interface Props {
  value: FieldDisplay;
  width: number;
  height: number;
  isNamed: boolean;
  hasMarkers: boolean;
  valueSize?: number;
}

function Gauge({ value: { display, field }, width, height, isNamed, hasMarkers, valueSize }: Props) {
  const theme = useTheme2();
  const { min = 0, max = 100, thresholds } = field;
  // The arc ends below its middle: a little more than half of the circle is seen.
  const radius = Math.min(width / 2, height / 1.4) * 0.95;
  const bar = radius * BAR;
  const middle = { x: width / 2, y: (height - radius * 1.35) / 2 + radius };
  const angle = (share: number) => BEGIN + (END - BEGIN) * Math.min(Math.max(share, 0), 1);
  const share = (at: number) => (max! > min! ? (at - min!) / (max! - min!) : 0);
  const arc = (from: number, to: number, r: number) => {
    const point = (degrees: number) =>
      `${middle.x + r * Math.sin((degrees * Math.PI) / 180)} ${middle.y - r * Math.cos((degrees * Math.PI) / 180)}`;
    return `M ${point(from)} A ${r} ${r} 0 ${to - from > 180 ? 1 : 0} 1 ${point(to)}`;
  };
  const steps = thresholds?.steps ?? [];
  const stepShare = (at: number) => (thresholds?.mode === ThresholdsMode.Percentage ? at / 100 : share(at));
  const line = { fill: 'none', strokeWidth: bar };
  const text = formattedValueToString(display);
  const outside = radius - (radius * MARKER) / 2;
  const inside = radius - (hasMarkers ? radius * MARKER * 2 : 0) - bar / 2;
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily} textAnchor="middle">
      <path {...line} d={arc(BEGIN, END, inside)} stroke={theme.colors.action.hover} />
      {Number.isFinite(display.numeric) && (
        <path {...line} d={arc(BEGIN, angle(share(display.numeric)), inside)} stroke={display.color} />
      )}
      {hasMarkers &&
        steps.map(({ value, color }, index) => (
          <path
            key={index}
            fill="none"
            strokeWidth={radius * MARKER}
            d={arc(
              angle(Number.isFinite(value) ? stepShare(value) : 0),
              angle(steps[index + 1] ? stepShare(steps[index + 1].value) : 1),
              outside,
            )}
            stroke={theme.visualization.getColorByName(color)}
          />
        ))}
      <text
        x={middle.x}
        y={middle.y}
        fill={theme.colors.text.primary}
        fontSize={valueSize ?? Math.min(radius * 0.45, (radius * 2.2) / Math.max(text.length, 1))}
        fontWeight={500}
      >
        {text}
      </text>
      {isNamed && (
        <text
          x={middle.x}
          y={middle.y + radius * 0.3}
          fill={theme.colors.text.secondary}
          fontSize={Math.max(radius * 0.15, 11)}
        >
          {display.title}
        </text>
      )}
    </svg>
  );
}

export default plugin(Gauges, { options, custom: { neutral: null } });
